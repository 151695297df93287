"""What is expected of candidates on a new task, by earlier tasks and by scores, and which of them to try first."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.meta.recommend.condense import condensed
from graft.meta.recommend.kernel import Fields, Floats, Likeness
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes
from graft.meta.recommend.portfolio import greedy, outcomes_drawn
from graft.meta.recommend.prior import Basis
from graft.meta.recommend.surrogate import Posterior, Surrogate, fitted
from graft.meta.recommend.table import (
    ScoreTable,
    Similarity,
    Table,
    compacted,
    score_directions,
    score_features,
    table_of,
    unknown_similarity,
)

# A half of the blend replaces it only if it has been better on so many tasks, by more than this many standard errors.
_FEWEST_TASKS, _ERRORS = 5, 2.0
_JUDGED_AT = (1, 3, 5)
# Candidates are expected to be worth the same if they differ by less than this, in units of `below_best`.
_NO_DIFFERENCE = 0.01


@dataclass(frozen=True)
class Forecast:
    """What is expected of the candidates of a pool on one task.

    Attributes:
        pool: the candidates.
        posterior: of them, in the order of the pool.
        basis: what it rests on.
        order: places in the pool, in the order in which to try them.
        tasks: earlier tasks that it has learned from.
    """

    pool: tuple[Candidate, ...]
    posterior: Posterior
    basis: Basis
    order: tuple[int, ...]
    tasks: int

    @property
    def is_empty(self) -> bool:
        """Whether it tells nothing: where all that is known is like none of the pool, its order is one of names."""
        alike = len(self.pool) > 1 and float(np.ptp(self.posterior.mean)) < _NO_DIFFERENCE
        return alike or self.basis == Basis.NOTHING


@dataclass(frozen=True)
class Recommender:
    """Learns from the outcomes of tasks, and from scores.

    Attributes:
        outcomes: of earlier tasks.
        scores: of any tasks, standardised (`score_table`).
        similarity: of tasks.
        seed: of what is drawn.
    """

    outcomes: Sequence[TaskOutcomes]
    scores: ScoreTable = field(default_factory=dict)
    similarity: Similarity = unknown_similarity
    seed: int = 0

    def forecast(self, task: str, pool: Sequence[Candidate], only: Basis | None = None, first: int = 10) -> Forecast:
        """What is expected of a pool on a task, of which only the scores are known.

        Args:
            task: its name; its own outcomes are not looked at.
            pool: candidates, each once.
            only: rest on one half alone; None lets the evidence of earlier tasks decide.
            first: how many are chosen to complement each other; those behind are in the order of what is expected.
        """
        others = [one for one in self.outcomes if one.task != task]
        table = table_of(others, self.scores, pool)
        directions = {} if only == Basis.PRIOR else score_directions(self.scores, (task, *table.tasks))
        table = condensed(table, Likeness(self.similarity, table.tasks, directions), task)
        table = compacted(table, len(pool))
        fields, likeness = Fields(table.candidates), Likeness(self.similarity, table.tasks, directions)
        features = score_features(pool, self.scores.get(task, {}), table.names)
        with_scores = bool(features.any()) and only != Basis.PRIOR
        known = len(np.unique(table.task))
        if only == Basis.SCREENING or not known:
            surrogate = fitted(_emptied(table), fields, likeness, with_scores)
            basis, judged = (Basis.SCREENING if with_scores else Basis.NOTHING), _emptied(table)
        else:
            surrogate, basis = _by_evidence(table, fields, likeness, with_scores and only is None)
            judged = table
        posterior = surrogate.predict(task, np.arange(len(pool)), features)
        residuals = _residuals(surrogate, judged, len(pool)) if basis in (Basis.BLEND, Basis.PRIOR) else None
        return Forecast(tuple(pool), posterior, basis, self._order(posterior, residuals, first, task), known)

    def _order(self, posterior: Posterior, residuals: Floats | None, first: int, task: str) -> tuple[int, ...]:
        by_mean = [int(place) for place in np.argsort(-posterior.mean, kind="stable")]
        if residuals is None:
            return tuple(by_mean)
        draws, weights = outcomes_drawn(posterior, residuals, derive_seed(self.seed, "portfolio", task) % 2**32)
        chosen = greedy(draws, weights, first)
        return (*chosen, *(place for place in by_mean if place not in set(chosen)))


def _by_evidence(table: Table, fields: Fields, likeness: Likeness, with_scores: bool) -> tuple[Surrogate, Basis]:
    """The blend, unless one of its halves has been better on the tasks there are."""
    prior = fitted(table, fields, likeness, with_scores=False)
    if not with_scores:
        return prior, Basis.PRIOR
    blend = fitted(table, fields, likeness)
    of_blend = _left_out_regrets(table, blend.left_out_tasks())
    best, basis = blend, Basis.BLEND
    screening = Surrogate(_emptied(table), fields, likeness, blend.parameters)
    halves = (
        (prior, Basis.PRIOR, _left_out_regrets(table, prior.left_out_tasks())),
        (screening, Basis.SCREENING, _left_out_regrets(table, table.features[:, 0])),
    )
    least = 0.0
    for surrogate, name, regrets in halves:
        gain = of_blend - regrets
        if len(gain) >= _FEWEST_TASKS:
            error = float(gain.std(ddof=1)) / len(gain) ** 0.5
            if gain.mean() > max(least, _ERRORS * error):
                best, basis, least = surrogate, name, float(gain.mean())
    return best, basis


def _emptied(table: Table) -> Table:
    return table.without(np.zeros(table.rows, dtype=bool))


def _residuals(surrogate: Surrogate, table: Table, size: int) -> Floats:
    """What earlier tasks had beyond what was expected, [T, P], of those that know the whole pool (the first places)."""
    if not table.rows:
        return np.zeros((0, size))
    expected = surrogate.left_out_tasks()
    found = []
    for task in np.unique(table.task):
        rows = np.flatnonzero(table.task == task)
        rows = rows[table.candidate[rows] < size]
        if len(np.unique(table.candidate[rows])) == size == len(rows):
            residual = np.empty(size)
            residual[table.candidate[rows]] = table.loss[rows] - expected[rows]
            found.append(residual - residual.mean())
    together = np.array(found) if found else np.zeros((0, size))
    return together - together.mean(axis=0) if found else together


def _left_out_regrets(table: Table, expected: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean regret of each task over `_JUDGED_AT`, had what is expected been the order of its candidates."""
    found = []
    for task in np.unique(table.task):
        rows = np.flatnonzero(table.task == task)
        losses = table.loss[rows][np.argsort(-expected[rows], kind="stable")]
        found.append(np.mean([losses.max() - losses[:count].max() for count in _JUDGED_AT]))
    return np.array(found)
