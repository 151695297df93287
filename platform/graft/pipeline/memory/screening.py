"""Scores the backbones of a search once, before its first draw, where that is worth it; what came of it is told."""

from dataclasses import dataclass

from graft.core.errors import GraftError
from graft.data.dataset import Dataset
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.journal.events import BackbonesScreened
from graft.learner.cached_features import FeatureCache
from graft.learner.task_description.screening import Look, look_at
from graft.learner.training_data import training_data_of
from graft.pipeline.context import RunContext
from graft.pipeline.memory.recommending import ScoresByName
from graft.pipeline.memory.worth_screening import worth_screening
from graft.search.screening.allowance import Allowance
from graft.search.screening.report import Candidate

_FEWEST = 2


@dataclass(frozen=True)
class Screener:
    """Decides whether the backbones of a run are scored, and scores them.

    Attributes:
        run: whose journal is told, and says whether it was decided before.
        dataset: the samples.
    """

    run: RunContext
    dataset: Dataset

    def scores(self, phase: int, known: ScoresByName) -> ScoresByName:
        """Scores of the backbones; none where they cost more than they are worth.

        Args:
            phase: that begins.
            known: what the memory has of this very task; where it has all, nothing is computed.
        """
        run = self.run
        if run.history.screened is not None:
            return run.history.screened or known
        seconds = None if run.run_clock.deadline is None else run.run_clock.deadline.seconds - run.run_clock.spent
        candidates, allowed = worth_screening(run.job, self.dataset.counts["train"], seconds, phase)
        if len(candidates) < _FEWEST or _are_known(candidates, known):
            return known
        made = self._screened(candidates, allowed) if allowed.rows else _not_worth_it(allowed)
        run.journal.append(made)
        return made.scores or known

    def _screened(self, candidates: tuple[Candidate, ...], allowed: Allowance) -> BackbonesScreened:
        run, clock = self.run, self.run.clock.elapsed
        began = clock()
        cache = FeatureCache(FeatureStore(run.home.features), data_fingerprint(self.dataset), frozenset())
        try:
            data = training_data_of(run.job, self.dataset, run.run_clock.allocation.num_threads, cache)
            look = look_at(data, candidates, allowed, clock)
        except (GraftError, KeyError, ValueError, RuntimeError, OSError) as error:
            # Samples that a backbone cannot read, such as tokens of another tokenizer: the search is what counts.
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return BackbonesScreened({}, clock() - began, f"the backbones are not scored: {reason}")
        seconds = clock() - began
        return BackbonesScreened(scores_of(look), round(seconds, 3), in_words(look, seconds))


def scores_of(look: Look) -> dict[str, dict[str, float]]:
    """The scores as the memory has them; none if there is nothing to compare."""
    found: dict[str, dict[str, float]] = {}
    for one in look.screened if len(look.screened) >= _FEWEST else ():
        for name, value in one.scores.items():
            found.setdefault(name + _behind(one.candidate), {})[one.candidate.backbone] = round(value, 6)
    return found


def in_words(look: Look, seconds: float) -> str:
    """What is told, in a line."""
    others = [f"{_name(at)}: {reason}" for at, reason in look.left_out.items()]
    if len(look.screened) < _FEWEST:
        return "; ".join([f"the backbones are not scored, after {seconds:.1f} s", *others])
    order = ", ".join(_name(one.candidate) for one in look.screened)
    return "; ".join([f"backbones scored in {seconds:.1f} s, the best first: {order}", *others])


def _not_worth_it(allowed: Allowance) -> BackbonesScreened:
    return BackbonesScreened({}, 0.0, f"the backbones are not scored: {allowed.reason}")


def _are_known(candidates: tuple[Candidate, ...], known: ScoresByName) -> bool:
    """Whether some score is known of each."""
    return all(
        any(name.endswith(_behind(one)) and one.backbone in values for name, values in known.items())
        for one in candidates
    )


def _name(candidate: Candidate) -> str:
    return candidate.backbone + _behind(candidate)


def _behind(candidate: Candidate) -> str:
    return "" if candidate.depth == 1 else f"@{candidate.depth:g}"
