"""A scheduler that stops what cannot win by its predicted curve, around another one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from graft.meta.recommend.curves.forecast import CurveForecast, Forecaster, PastCurve
from graft.meta.recommend.pool import candidate_of
from graft.search.protocol import (
    CheckpointEpochs,
    Decision,
    GoOn,
    Observation,
    Proposal,
    Report,
    Scheduler,
    Stop,
    Verdict,
)
from graft.spec.metrics import MetricSpec

THIS_TASK = "this task"
_DRAWS = 512


@dataclass
class StopByCurve:
    """Stops a trial whose chance to beat the best so far by its end is small (Domhan et al., IJCAI 2015, section 4).

    Attributes:
        inner: decides first.
        foreseeing: foresees curves by those of earlier tasks, and of other strategies on this one.
        metric: of the search.
        history: what is known of all trials.
        is_free: whether a trial may not be stopped so.
        least: P(y_best ≥ ŷ | y_1:n) below which it stops, δ in the paper.
        spared: from which chance on `inner` may not stop a trial; 1 never spares one.
        ends: whether `inner` compares predicted ends instead of values.
    """

    inner: Scheduler
    foreseeing: Callable[[Sequence[PastCurve]], Forecaster]
    metric: MetricSpec
    history: Callable[[], tuple[Observation, ...]]
    is_free: Callable[[Proposal], bool]
    least: float = 0.05
    spared: float = 1.0
    ends: bool = False
    _trials: dict[str, Proposal] = field(default_factory=dict)
    _values: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def checkpoints(self) -> CheckpointEpochs:
        return self.inner.checkpoints

    def add(self, proposal: Proposal) -> None:
        self._trials[proposal.trial] = proposal
        self.inner.add(proposal)

    def report(self, report: Report) -> Verdict:
        proposal = self._trials[report.trial]
        self._values.setdefault(report.trial, {})[report.epoch] = report.value
        if self.ends:
            report = replace(report, value=float(self._foreseen(report.trial).expected[-1]))
        verdict = self.inner.report(report)
        is_stop, best = isinstance(verdict, Stop), self._best_of_others(proposal)
        is_settled = self.is_free(proposal) or report.epoch >= proposal.epochs or best is None
        if is_settled or (is_stop and self.spared >= 1) or (not is_stop and self.least <= 0):
            return verdict
        chance = chance_to_beat(self._foreseen(report.trial), self._values[report.trial], best)
        if is_stop:
            return GoOn() if chance >= self.spared else verdict
        if chance < self.least:
            return Stop(f"its predicted curve beats {best:.4f} with {chance:.1%}", report.epoch)
        return verdict

    def remove(self, trial: str) -> None:
        self.inner.remove(trial)

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        return self.inner.settle(no_more)

    def _best_of_others(self, proposal: Proposal) -> float | None:
        others = (one for one in self.history() if not one.failed and one.strategy != proposal.strategy)
        values = [value for one in others for value in one.values.values()]
        pick = max if self.metric.mode == "max" else min
        return pick(values, default=None)

    def _foreseen(self, trial: str) -> CurveForecast:
        own = [
            PastCurve(THIS_TASK, candidate_of(self._trials[name].strategy), self._trials[name].epochs, values)
            for name, values in self._values.items()
            if name != trial
        ]
        mine = self._trials[trial]
        return self.foreseeing(own).forecast(candidate_of(mine.strategy), mine.epochs, self._values[trial])


def chance_to_beat(found: CurveForecast, seen: Mapping[int, float], value: float) -> float:
    """Probability that the best value of a curve is better than this one, by draws of what is ahead.

    Args:
        found: what is expected of the curve.
        seen: epoch -> value, as far as it has come.
        value: to beat.
    """
    scale, moments = found.scale, found.moments
    reached = scale.of(np.array(list(seen.values()), dtype=np.float64)).max(initial=-np.inf)
    best = np.full(_DRAWS, reached)
    ahead = [place for place, epoch in enumerate(found.epochs) if epoch not in seen]
    if ahead:
        spread, axes = np.linalg.eigh(moments.covariance[np.ix_(ahead, ahead)] * moments.widening**2)
        drawn = moments.mean[ahead] + _normal(len(ahead)) @ (axes * np.sqrt(np.maximum(spread, 0.0))).T
        best = np.maximum(best, drawn.max(axis=1))
    return float(np.mean(best > float(scale.of(np.array([value]))[0])))


@lru_cache(maxsize=64)
def _normal(places: int) -> NDArray[np.float64]:
    """The same draws for every curve, so that what is decided on them is reproducible: [_DRAWS, places]."""
    half = np.random.default_rng(0).standard_normal((_DRAWS // 2, places))
    return np.concatenate([half, -half])
