"""One epoch for every trial, all epochs for the best few."""

from collections.abc import Mapping

from graft.search.protocol import CheckpointEpochs, Decision, Proposal, Report, Verdict
from graft.search.schedulers.cohort import Cohort
from graft.search.schedulers.context import SchedulerContext


class OneEpochTopK:
    """Every trial trains a little; when all have, the best k train to their end (Egele et al., ESANN 2023).

    `epochs` is the little, 1 in the paper, and `keep` is k. All means the trials of the phase, or fewer when no more
    are to come. With `epochs` as long as the phase itself there is nothing to compare, and every trial runs to its
    end.
    """

    def __init__(self, context: SchedulerContext) -> None:
        spec, phase = context.phase.scheduler, context.phase
        milestones = [spec.epochs] if spec.epochs < phase.epochs else []
        self._trials = Cohort(context, milestones, phase.trials, keep=lambda compared: spec.keep)
        self.checkpoints = CheckpointEpochs(at=frozenset(milestones))

    def add(self, proposal: Proposal) -> None:
        """A trial is about to start."""
        start = proposal.start.epoch if proposal.start else 0
        self._trials.add(proposal.trial, start, proposal.runs_to_end)

    def report(self, report: Report) -> Verdict:
        """Hold where trials are compared, else go on."""
        return self._trials.report(report)

    def remove(self, trial: str) -> None:
        """A trial has ended: nobody waits for it."""
        self._trials.remove(trial)

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """Everything at once, when the last trial has come."""
        return self._trials.settle(no_more)
