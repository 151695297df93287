"""How observations are compared, by every searcher that learns.

Training may have been stopped early, so values of different epochs stand beside each other. A trial is known by the
longest it has trained, and the best value that it had until then: its best epoch is what a trial is worth to the
search. One that has trained longer is ranked before one that has not (Optuna's rule for pruned trials), as whatever
stops trials keeps the better ones. A trial that is still running is ranked by what it has, like any other.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from graft.search.protocol import Observation
from graft.spec.metrics import MetricSpec
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class Score:
    """What a trial has shown.

    Attributes:
        epoch: the longest it has trained.
        loss: its best value until then, with the sign that makes less better.
    """

    epoch: int
    loss: float

    @property
    def rank(self) -> tuple[int, float]:
        """Sorts the best first."""
        return (-self.epoch, self.loss)


def score_of(observation: Observation, metric: MetricSpec, until: int | None = None) -> Score | None:
    """What a trial has shown; None if it failed or has no finite value.

    Args:
        observation: the trial.
        metric: says which values are better.
        until: later epochs are left out; None is none of them.
    """
    sign = -1 if metric.mode == "max" else 1
    finite = {epoch: sign * value for epoch, value in observation.values.items() if math.isfinite(value)}
    known = {epoch: loss for epoch, loss in finite.items() if until is None or epoch <= until}
    if observation.failed or not known:
        return None
    return Score(max(known), min(known.values()))


def num_scored(history: Iterable[Observation], metric: MetricSpec) -> int:
    """How many trials have shown anything."""
    return sum(score_of(one, metric) is not None for one in history)


def is_tried(strategy: Strategy, history: Iterable[Observation], space: StrategySpace) -> bool:
    """Whether a trial lies at the same place of the space already."""
    return any(space.distance(one.strategy, strategy) == 0 for one in history)
