"""How good recommendations are: each task is held out in turn, and recommended for from the others."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graft.core.errors import DataError
from graft.core.seeds import derive_seed
from graft.meta.memory.records import Memory
from graft.meta.recommend.evaluation.points import points_factor
from graft.meta.recommend.evaluation.regret import at_random, of_order, of_ranking
from graft.meta.recommend.outcomes import TaskOutcomes, outcomes_of
from graft.meta.recommend.prior import Basis
from graft.meta.recommend.recommender import Recommender
from graft.meta.recommend.table import ScoreTable, Similarity, score_table, unknown_similarity
from graft.spec.messages.counting import counted

RANDOM, PRIOR, GRAFT = "random", "prior", "graft"
THINNED_TO = (1, 3, 5)
MOST_DRAWS, ENOUGH_DRAWS = 5, 300
Regrets = Mapping[str, Mapping[int, float]]
"""method -> k -> regret in points."""


@dataclass(frozen=True)
class HeldOut:
    """One task that was held out.

    Attributes:
        task: its name.
        metric: what was compared.
        candidates: how many there were.
        best: the best value, as the metric has it.
        basis: what graft's recommendation rested on.
        regrets: in points.
    """

    task: str
    metric: str
    candidates: int
    best: float
    basis: str
    regrets: Regrets


@dataclass(frozen=True)
class Evaluation:
    """All tasks held out in turn.

    Attributes:
        counts: the k.
        held_out: one a task.
        thinned: size of the memory -> mean regrets with that few other tasks, over several draws of them.
        left_out: task -> why it could not be held out.
        unused: records that no outcome was made of.
        points: metric -> what its differences were multiplied with.
    """

    counts: tuple[int, ...]
    held_out: tuple[HeldOut, ...]
    thinned: Mapping[int, Regrets]
    left_out: Mapping[str, str] = field(default_factory=dict)
    unused: int = 0
    points: Mapping[str, float] = field(default_factory=dict)

    @property
    def mean(self) -> Regrets:
        """Over the tasks."""
        return mean_regrets([one.regrets for one in self.held_out])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: every regret is in points, by method and k."""
        return {
            "k": list(self.counts),
            "tasks": [
                {
                    "task": one.task,
                    "metric": one.metric,
                    "candidates": one.candidates,
                    "best": one.best,
                    "basis": one.basis,
                    "regret": _plain(one.regrets),
                }
                for one in self.held_out
            ],
            "mean": _plain(self.mean),
            "thinned": {str(size): _plain(regrets) for size, regrets in self.thinned.items()},
            "left_out": dict(self.left_out),
            "unused_records": self.unused,
            "points": dict(self.points),
        }


@dataclass(frozen=True)
class Evaluator:
    """Holds out the tasks of a memory, one after the other.

    Attributes:
        counts: the k, ascending.
        draws: how many times the other tasks are drawn where the memory is thinned, for each task that is held out;
            None: five times, fewer where there are more than 60 tasks, whose mean has enough of them.
        seed: of the draws.
        similarity: of tasks.
        told: hears of each task that is done: (done, of how many).
    """

    counts: tuple[int, ...] = (1, 3, 5, 10)
    draws: int | None = None
    seed: int = 0
    similarity: Similarity = unknown_similarity
    told: Callable[[int, int], None] = lambda done, total: None

    def evaluate(self, memory: Memory, metrics: Mapping[str, str] | None = None) -> Evaluation:
        """Regrets of a random order (expected), of the prior alone, of each score alone, and of graft.

        Args:
            memory: records, and perhaps scores.
            metrics: task -> the metric that counts, where the user has chosen one.

        Raises:
            DataError: no task has two candidates with values.
        """
        outcomes = outcomes_of(memory.records(), metrics=metrics)
        scores = score_table(memory.scores())
        alone: dict[str, dict[str, dict[str, float]]] = {}
        for score in memory.scores():
            alone.setdefault(score.task, {}).setdefault(score.score_name, {})[score.backbone] = score.value
        usable = {name: one for name, one in outcomes.items() if len(one.values) > 1}
        if not usable:
            raise DataError(
                f"none of {len(outcomes)} tasks has 2 candidates with a value, so nothing can be compared; give "
                "records of several backbones or strategies on one task"
            )
        points = _points(usable.values())
        kinds = {record.task: (record.modality, record.task_kind) for record in memory.records()}
        held_out, total = [], len(usable)
        draws = self.draws or max(1, min(MOST_DRAWS, ENOUGH_DRAWS // total))
        thinned: dict[int, list[Regrets]] = {size: [] for size in THINNED_TO if size < total - 1}
        for done, one in enumerate(usable.values(), start=1):
            others = [
                outcomes[name] for name in outcomes if name != one.task and _are_alike(kinds[name], kinds[one.task])
            ]
            found = self._held_out(one, others, scores, alone.get(one.task, {}))
            held_out.append(replace(found, regrets=_scaled(found.regrets, points[one.metric])))
            for size in [size for size in thinned if size < len(others)]:
                regrets = [self._thinned(one, others, scores, size, draw) for draw in range(draws)]
                thinned[size].append(_scaled(mean_regrets(regrets), points[one.metric]))
            self.told(done, total)
        return Evaluation(
            self.counts,
            tuple(held_out),
            {size: mean_regrets(found) for size, found in thinned.items() if found},
            {name: _why_not(one) for name, one in outcomes.items() if name not in usable},
            sum(one.left_out for one in outcomes.values()),
            points,
        )

    def _held_out(
        self,
        one: TaskOutcomes,
        others: Sequence[TaskOutcomes],
        scores: ScoreTable,
        alone: Mapping[str, Mapping[str, float]],
    ) -> HeldOut:
        values = one.values
        regrets, basis = self._recommended(one, others, scores)
        for name, by_backbone in alone.items():
            ranks = {at: by_backbone[at.backbone] for at in values if at.backbone in by_backbone}
            if ranks:
                regrets[f"score:{name}"] = {k: of_ranking(values, ranks, k) for k in self.counts}
        best = max(values.values())
        return HeldOut(
            one.task,
            one.metric,
            len(values),
            -best if one.is_loss else best,
            basis,
            {RANDOM: {k: at_random(values, k) for k in self.counts}, **regrets},
        )

    def _thinned(
        self, one: TaskOutcomes, others: Sequence[TaskOutcomes], scores: ScoreTable, size: int, draw: int
    ) -> Regrets:
        rng = random.Random(derive_seed(self.seed, "thinned", one.task, size, draw))
        return self._recommended(one, rng.sample(list(others), size), scores)[0]

    def _recommended(
        self, one: TaskOutcomes, others: Sequence[TaskOutcomes], scores: ScoreTable
    ) -> tuple[dict[str, dict[int, float]], str]:
        """Of the prior alone, and of graft."""
        known = {name: scores[name] for name in (one.task, *(other.task for other in others)) if name in scores}
        recommender = Recommender(others, known, self.similarity, self.seed)
        values, basis = one.values, Basis.NOTHING
        found: dict[str, dict[int, float]] = {}
        pool = sorted(values)
        methods: list[tuple[str, Basis | None]] = [(PRIOR, Basis.PRIOR), (GRAFT, None)]
        for method, only in methods if one.task in known else methods[:1]:
            forecast = recommender.forecast(one.task, pool, only, first=max(self.counts))
            basis = Basis.NOTHING if forecast.is_empty else forecast.basis
            order = [forecast.pool[place] for place in forecast.order]
            knows = not forecast.is_empty
            found[method] = {k: of_order(values, order, k) if knows else at_random(values, k) for k in self.counts}
        found.setdefault(GRAFT, found[PRIOR])  # without scores of the task there is nothing to blend
        return found, str(basis)


def _are_alike(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether tasks tell of each other: as a search asks, those of one modality and kind, as far as they are known."""
    return all(not a or not b or a == b for a, b in zip(one, other, strict=True))


def mean_regrets(regrets: Sequence[Regrets]) -> dict[str, dict[int, float]]:
    """The mean by method and k; of a method that some lack (a score), over those that have it."""
    methods = dict.fromkeys(method for one in regrets for method in one)
    found: dict[str, dict[int, float]] = {}
    for method in methods:
        having = [one[method] for one in regrets if method in one]
        found[method] = {k: sum(one[k] for one in having) / len(having) for k in having[0]}
    return found


def _points(tasks: Iterable[TaskOutcomes]) -> dict[str, float]:
    by_metric: dict[str, list[float]] = {}
    for one in tasks:
        by_metric.setdefault(one.metric, []).extend(-v if one.is_loss else v for v in one.values.values())
    return {metric: points_factor(metric, values) for metric, values in by_metric.items()}


def _scaled(regrets: Regrets, factor: float) -> dict[str, dict[int, float]]:
    return {method: {k: one * factor for k, one in by_k.items()} for method, by_k in regrets.items()}


def _plain(regrets: Regrets) -> dict[str, dict[str, float]]:
    # What is added makes 0 of −0, which rounding errors leave.
    return {method: {str(k): round(one, 6) + 0.0 for k, one in by_k.items()} for method, by_k in regrets.items()}


def _why_not(one: TaskOutcomes) -> str:
    count = len(one.values)
    return f"{counted(count, 'candidate')} with a value of {one.metric}; 2 are needed to compare"
