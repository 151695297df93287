"""Trains one trial under a strategy schedule that an earlier search has found. Pure."""

from collections.abc import Callable, Mapping

from graft.search.perturb import changes_between, described
from graft.search.protocol import (
    Checkpoint,
    CheckpointEpochs,
    Decision,
    Duplicate,
    Exploit,
    GoOn,
    Hold,
    Proposal,
    Report,
    Verdict,
)
from graft.search.strategy_schedule import Schedule, Stretch


class Replay:
    """The scheduler, and the proposer, of a search that has one trial and knows what becomes of it.

    At the end of each stretch the trial goes on from its own weights under the strategy of the next one: what it would
    do if it copied from another trial that is its equal.

    Args:
        schedule: to be replayed, of the length of the training.
        phase: index of the phase.
        has_begun: whether an earlier run of the experiment has proposed the trial.
    """

    TRIAL = "t01"

    def __init__(self, schedule: Schedule, phase: int = 0, has_begun: bool = False) -> None:
        self._schedule, self._phase = schedule, phase
        self._after = {one.from_epoch: one for one in schedule.stretches[1:]}
        self._segment = 0
        self._held: Stretch | None = None
        self._has_begun = has_begun
        self.is_exhausted = False
        self.checkpoints = CheckpointEpochs(at=frozenset(self._after))

    def propose(self, on_duplicate: Callable[[Duplicate], None]) -> Proposal | None:
        """The one trial, once."""
        if self._has_begun:
            return None
        self._has_begun = True
        first = self._schedule.stretches[0].strategy
        return Proposal(self.TRIAL, first, epochs=self._schedule.epochs, phase=self._phase)

    def add(self, proposal: Proposal) -> None:
        """The trial begins, or its next stretch does."""
        self._segment = proposal.segment

    def report(self, report: Report) -> Verdict:
        """Hold at the end of a stretch."""
        self._held = self._after.get(report.epoch)
        return Hold() if self._held else GoOn()

    def remove(self, trial: str) -> None:
        """The trial has ended."""
        self._held = None

    def settle(self, no_more: bool) -> Mapping[str, Decision]:
        """The next stretch."""
        if self._held is None:
            return {}
        stretch, self._held = self._held, None
        place = self._schedule.stretches.index(stretch)
        changes = changes_between(self._schedule.stretches[place - 1].strategy, stretch.strategy)
        source = Checkpoint(self.TRIAL, self._segment, stretch.from_epoch)
        reason = f"the schedule changes at epoch {stretch.from_epoch}: {described(changes)}"
        return {self.TRIAL: Exploit(source, stretch.strategy, changes, reason)}
