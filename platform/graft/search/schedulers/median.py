"""The median stopping rule."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from graft.search.protocol import CheckpointEpochs, Decision, GoOn, Proposal, Report, Stop, Verdict
from graft.search.schedulers.context import SchedulerContext


class MedianStopping:
    """Median stopping (Golovin et al., KDD 2017, section 3.2).

    A trial stops at epoch s if its best value so far is strictly worse than the median, over the other trials, of the
    means of their values from epoch `grace_epochs` up to s. Others are all that have come to epoch s, whether they
    run or have ended (the paper takes those that have completed), and there must be `min_trials` of them. Infinite
    means are left out.
    """

    def __init__(self, context: SchedulerContext) -> None:
        self._context, self._spec = context, context.phase.scheduler
        self._curves: dict[str, _Curve] = {}
        self._exempt: set[str] = set()
        self.checkpoints = CheckpointEpochs()

    def add(self, proposal: Proposal) -> None:
        """It takes part from its first report on."""
        if proposal.runs_to_end:
            self._exempt.add(proposal.trial)

    def report(self, report: Report) -> Verdict:
        """Stop, or go on."""
        curve = self._curves.setdefault(report.trial, _Curve(self._spec.grace))
        curve.extend(report.epoch, self._context.score(report.value))
        is_compared = self._spec.grace <= report.epoch < self._context.phase.epochs
        if not is_compared or report.trial in self._exempt:
            return GoOn()
        means = self._means_of_others(report)
        if len(means) < self._spec.min_trials:
            return GoOn()
        median = statistics.median(means)
        return (
            Stop(self._reason(report.epoch, curve.best, median, len(means)), report.epoch)
            if curve.best < median
            else GoOn()
        )

    def remove(self, trial: str) -> None:
        """Nobody waits for it, and what it has reported still counts."""

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """No trial is ever held."""
        return {}

    def _means_of_others(self, report: Report) -> list[float]:
        found = (curve.mean_at(report.epoch) for trial, curve in self._curves.items() if trial != report.trial)
        return [mean for mean in found if mean is not None and math.isfinite(mean)]

    def _reason(self, epoch: int, best: float, median: float, others: int) -> str:
        value, limit = self._context.score(best), self._context.score(median)
        trials = "1 other trial" if others == 1 else f"{others} other trials"
        return (
            f"{self._context.metric.name} {value:.4f}, its best by epoch {epoch}, is worse than {limit:.4f}, "
            f"the median of the running means of {trials}"
        )


@dataclass
class _Curve:
    """The scores of one trial, and their mean from epoch `grace` on, up to each epoch."""

    grace: int
    best: float = -math.inf
    last: int = 0
    values: list[float] = field(default_factory=list)
    means: dict[int, float] = field(default_factory=dict)

    def extend(self, epoch: int, score: float) -> None:
        self.best, self.last = max(self.best, score), max(self.last, epoch)
        if epoch >= self.grace:
            self.values.append(score)
            # Rounding can carry the mean of equal values above them, and equal trials would lose to each other.
            self.means[epoch] = min(statistics.fmean(self.values), max(self.values))

    def mean_at(self, epoch: int) -> float | None:
        """The mean up to this epoch, or None if the trial has not come as far, or has no value to take."""
        if self.last < epoch:
            return None
        if epoch in self.means:
            return self.means[epoch]
        return self.means.get(max((at for at in self.means if at < epoch), default=epoch))
