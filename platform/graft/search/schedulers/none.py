"""No early stopping."""

from collections.abc import Mapping

from graft.search.protocol import CheckpointEpochs, Decision, GoOn, Proposal, Report, Verdict
from graft.search.schedulers.context import SchedulerContext


class RunToEnd:
    """Every trial runs to its end."""

    def __init__(self, context: SchedulerContext) -> None:
        self.checkpoints = CheckpointEpochs()

    def add(self, proposal: Proposal) -> None:
        """Nothing depends on who takes part."""

    def report(self, report: Report) -> Verdict:
        """Go on, always."""
        return GoOn()

    def remove(self, trial: str) -> None:
        """Nothing depends on who takes part."""

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """No trial is ever held."""
        return {}
