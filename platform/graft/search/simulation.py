"""Plays a search on learning curves instead of training: for tests, and to compare schedulers. No Ray, no torch."""

import heapq
from collections.abc import Callable, Mapping

from graft.journal.events import TrialStatus
from graft.search.conductor import Conductor
from graft.search.protocol import GoOn, Proposal, Stop, TrialEnd

Curve = Callable[[Proposal, int], Mapping[str, float] | None]
"""``curve(proposal, epoch)``: the metrics after an epoch of what the proposal asks for; None is a failure."""

Seconds = Callable[[Proposal, int], float]
"""``seconds(proposal, epoch)``: how long that epoch takes."""


def simulate(conductor: Conductor, curve: Curve, seconds: Seconds = lambda proposal, epoch: 1.0) -> float:
    """Run a search to its end; returns the seconds it would have taken.

    Every epoch takes its simulated time; trials that end their epochs at the same moment report in the order of their
    names.
    """
    return _Simulation(conductor, curve, seconds).run()


class _Simulation:
    """One process a trial; each has one epoch under way, unless it is held."""

    def __init__(self, conductor: Conductor, curve: Curve, seconds: Seconds) -> None:
        self._conductor, self._curve, self._seconds = conductor, curve, seconds
        self._now = 0.0
        self._doing: dict[str, tuple[Proposal, int]] = {}
        self._due: list[tuple[float, str]] = []
        self._left_off: dict[tuple[str, int], int] = {}

    def run(self) -> float:
        while True:
            self._act()
            self._start()
            if not self._due:
                return self._now
            self._now, trial = heapq.heappop(self._due)
            self._report(trial)

    def _start(self) -> None:
        while True:
            proposal = self._conductor.next()
            if proposal is None and (trial := self._conductor.to_suspend()):
                self._doing.pop(trial)
                continue
            if proposal is None:
                return
            self._begin(proposal)

    def _begin(self, proposal: Proposal) -> None:
        """From its own newest epoch, where it has one, as a real trial would find its checkpoint."""
        start = proposal.start.epoch if proposal.start else 0
        epoch = self._left_off.get((proposal.trial, proposal.segment), start)
        self._train(proposal, epoch + 1)

    def _train(self, proposal: Proposal, epoch: int) -> None:
        self._doing[proposal.trial] = (proposal, epoch)
        heapq.heappush(self._due, (self._now + self._seconds(proposal, epoch), proposal.trial))

    def _report(self, trial: str) -> None:
        proposal, epoch = self._doing[trial]
        metrics = self._curve(proposal, epoch)
        if metrics is None:
            del self._doing[trial]
            self._conductor.ended(trial, TrialEnd(TrialStatus.FAILED, f"failed in epoch {epoch}"))
            return
        self._left_off[(trial, proposal.segment)] = epoch
        verdict = self._conductor.reported(trial, epoch, metrics)
        if epoch >= proposal.epochs:
            del self._doing[trial]
            self._conductor.ended(trial, TrialEnd(TrialStatus.COMPLETED, f"trained {epoch} epochs"))
        elif isinstance(verdict, GoOn):
            self._train(proposal, epoch + 1)
        elif isinstance(verdict, Stop):
            del self._doing[trial]

    def _act(self) -> None:
        for trial, action in self._conductor.take_actions().items():
            if isinstance(action, Stop):
                self._doing.pop(trial, None)
            elif isinstance(action, Proposal):
                self._begin(action)
            else:
                proposal, epoch = self._doing[trial]
                self._train(proposal, epoch + 1)
