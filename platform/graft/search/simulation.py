"""Plays a search on learning curves instead of training: for tests, for plans, to compare schedulers. No Ray."""

import heapq
import math
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from graft.journal.events import TrialStatus
from graft.search.conductor import Conductor
from graft.search.protocol import GoOn, Proposal, Stop, TrialEnd

Curve = Callable[[Proposal, int], Mapping[str, float] | None]
"""``curve(proposal, epoch)``: the metrics after an epoch of what the proposal asks for; None is a failure."""

Seconds = Callable[[Proposal, int], float]
"""``seconds(proposal, epoch)``: how long that epoch takes."""

OnStep = Callable[[float], None]
"""``on_step(now)``: called before trials are started."""


# Of a trial that is moved to another node in the middle of an epoch: its process starts there, and loads its state.
MOVE_S = 20.0


class Room(Protocol):
    """Where trials are trained: who has room, and since when."""

    def ask(self, trial: str, now: float) -> None:
        """A trial wants to be trained."""

    def leave(self, trial: str, now: float) -> None:
        """A trial needs its place no more, or no more waits for one."""

    def placed(self, now: float) -> list[str]:
        """Trials that have got a place since this was asked last, in order."""

    def next_change(self) -> float:
        """When there may be a place for one that waits; infinity if nothing is to come."""

    def pack(self, now: float, may_move: Collection[str]) -> list[str]:
        """Move some of these trials together, so that nodes can leave; returns those that were moved."""


class Unlimited:
    """Room for all, at once."""

    def __init__(self) -> None:
        self._asked: list[str] = []

    def ask(self, trial: str, now: float) -> None:
        self._asked.append(trial)

    def leave(self, trial: str, now: float) -> None:
        """There is room all the same."""

    def placed(self, now: float) -> list[str]:
        placed, self._asked = self._asked, []
        return placed

    def next_change(self) -> float:
        return math.inf

    def pack(self, now: float, may_move: Collection[str]) -> list[str]:
        """All of it is one place."""
        return []


def simulate(
    conductor: Conductor,
    curve: Curve,
    seconds: Seconds = lambda proposal, epoch: 1.0,
    room: Room | None = None,
    on_step: OnStep = lambda now: None,
    start: float = 0.0,
) -> float:
    """Run a search to its end; returns when that is.

    Every epoch takes its simulated time; trials that end their epochs at the same moment report in the order of their
    names.

    Args:
        conductor: of the search.
        curve: what trials report.
        seconds: how long they take.
        room: where they are trained; all at once if left out.
        on_step: told the time before trials are started.
        start: when the search begins.

    Raises:
        RuntimeError: trials wait for a place, and there will never be one.
    """
    return _Simulation(conductor, curve, seconds, room or Unlimited(), on_step).run(start)


class _Simulation:
    """One process a trial; each has one epoch under way, unless it is held or waits for a place."""

    def __init__(self, conductor: Conductor, curve: Curve, seconds: Seconds, room: Room, on_step: OnStep) -> None:
        self._conductor, self._curve, self._seconds = conductor, curve, seconds
        self._room, self._on_step = room, on_step
        self._now = 0.0
        self._doing: dict[str, tuple[Proposal, int]] = {}
        self._waiting: dict[str, Proposal] = {}
        self._due: list[tuple[float, str]] = []
        self._left_off: dict[tuple[str, int], int] = {}
        # Trials that have reported from where they are.
        self._settled: set[str] = set()

    def run(self, start: float) -> float:
        self._now = start
        while True:
            self._act()
            self._on_step(self._now)
            self._start()
            for trial in self._room.placed(self._now):
                self._begin(self._waiting.pop(trial))
            self._pack()
            change = self._room.next_change() if self._waiting else math.inf
            if self._due and self._due[0][0] <= change:
                self._now, trial = heapq.heappop(self._due)
                self._report(trial)
            elif change < math.inf:
                self._now = max(self._now, change)
            elif self._waiting:
                raise RuntimeError(f"{', '.join(self._waiting)} wait for a place that never comes")
            else:
                return self._now

    def _start(self) -> None:
        while True:
            proposal = self._conductor.next()
            if proposal is None and (trial := self._conductor.to_suspend()):
                self._forget(trial)
                continue
            if proposal is None:
                return
            self._waiting[proposal.trial] = proposal
            self._room.ask(proposal.trial, self._now)

    def _pack(self) -> None:
        if not self._conductor.is_complete or self._waiting:
            return
        may_move = self._settled.intersection(trial for _, trial in self._due)
        if moved := set(self._room.pack(self._now, may_move)):
            self._settled -= moved
            self._due = [(at + MOVE_S if trial in moved else at, trial) for at, trial in self._due]
            heapq.heapify(self._due)

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
            self._forget(trial)
            self._conductor.ended(trial, TrialEnd(TrialStatus.FAILED, f"failed in epoch {epoch}"))
            return
        self._left_off[(trial, proposal.segment)] = epoch
        self._settled.add(trial)
        verdict = self._conductor.reported(trial, epoch, metrics)
        if epoch >= proposal.epochs:
            self._forget(trial)
            self._conductor.ended(trial, TrialEnd(TrialStatus.COMPLETED, f"trained {epoch} epochs"))
        elif isinstance(verdict, GoOn):
            self._train(proposal, epoch + 1)
        elif isinstance(verdict, Stop):
            self._forget(trial)

    def _act(self) -> None:
        for trial, action in self._conductor.take_actions().items():
            if isinstance(action, Stop):
                if trial in self._doing:
                    self._forget(trial)
            elif isinstance(action, Proposal):
                self._begin(action)
            else:
                proposal, epoch = self._doing[trial]
                self._train(proposal, epoch + 1)

    def _forget(self, trial: str) -> None:
        """The trial has no process any more."""
        del self._doing[trial]
        self._settled.discard(trial)
        self._room.leave(trial, self._now)
