"""Asynchronous successive halving."""

from collections.abc import Mapping, Sequence

import numpy as np

from graft.search.protocol import CheckpointEpochs, Decision, GoOn, Proposal, Report, Stop, Verdict
from graft.search.schedulers.context import SchedulerContext


class Asha:
    """Asynchronous successive halving (Li et al., MLSys 2020), the variant that stops and never waits.

    Rung k lies at r·η^k epochs (`grace_epochs` = r, `reduction_factor` = η, `phase.epochs` = R, the last rung below
    it). A trial that comes to a rung stops if its value is below the (1 - 1/η) quantile, linearly interpolated, of
    the trials that came there before it; the first always goes on. Values of trials that have ended since still count.

    A trial that goes on from a checkpoint joins the rungs above it. One whose report at a rung is missing joins that
    rung with its next report, but only the highest it has passed.
    """

    def __init__(self, context: SchedulerContext) -> None:
        spec = context.phase.scheduler
        self._context = context
        self._eta: int = spec.reduction_factor
        self._rungs: dict[int, list[float]] = {epoch: [] for epoch in spec.rungs(context.phase.epochs)}
        self._behind: dict[str, int] = {}
        self._exempt: set[str] = set()
        self.checkpoints = CheckpointEpochs()

    def add(self, proposal: Proposal) -> None:
        """A trial is about to start."""
        start = proposal.start.epoch if proposal.start else 0
        self._behind[proposal.trial] = max(start, self._behind.get(proposal.trial, 0))
        if proposal.runs_to_end:
            self._exempt.add(proposal.trial)

    def report(self, report: Report) -> Verdict:
        """Stop, or go on; only at a rung is it a question."""
        behind = self._behind.get(report.trial, 0)
        self._behind[report.trial] = max(behind, report.epoch)
        rung = max((epoch for epoch in self._rungs if behind < epoch <= report.epoch), default=None)
        if rung is None:
            return GoOn()
        score, earlier = self._context.score(report.value), tuple(self._rungs[rung])
        self._rungs[rung].append(score)
        if not earlier or report.trial in self._exempt:
            return GoOn()
        cutoff = _cutoff(earlier, self._eta)
        return Stop(self._reason(report, cutoff, len(earlier)), rung) if score < cutoff else GoOn()

    def remove(self, trial: str) -> None:
        """Does nothing: nobody waits for it, and the results it has recorded on its rungs still count."""

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """No trial is ever held."""
        return {}

    def _reason(self, report: Report, cutoff: float, earlier: int) -> str:
        trials = "1 earlier trial" if earlier == 1 else f"{earlier} earlier trials"
        return (
            f"{self._context.metric.name} {report.value:.4f} at epoch {report.epoch} is worse than "
            f"{self._context.score(cutoff):.4f}, the best 1/{self._eta} of {trials}"
        )


def _cutoff(scores: Sequence[float], eta: int) -> float:
    # Between minus infinity (a loss that overflowed) and a number, the interpolation is NaN: no one is below that.
    with np.errstate(invalid="ignore"):
        return float(np.percentile(scores, (1 - 1 / eta) * 100))
