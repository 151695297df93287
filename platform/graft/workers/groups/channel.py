"""What the work function of a worker group is given: its rank, and the way back to the one who ordered the work."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from graft.workers.groups.messages import Command, Ticket

if TYPE_CHECKING:
    import torch

KEPT_BARRIERS = 4

WorkFunction = Callable[[Any, Any, "Channel"], None]
"""``work(order, payload, channel)``, run by every rank. To leave an abandoned order it returns."""


class StopBarrier:
    """The check at which this rank stops: the same on every rank, so that none is left in a collective operation.

    A rank may have passed a check that another one has not. So a stop has two steps: every rank says how many checks
    it has passed (and is held at the next one, for the milliseconds this takes), and all stop after the largest number.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._passed = 0
        self._is_frozen = False
        self._line: int | None = None

    def is_reached(self) -> bool:
        """Count a check; whether this rank has to stop at it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_frozen or self._line is not None)
            self._passed += 1
            return self._line is not None and self._passed >= self._line

    def freeze(self) -> int:
        """Let no further check pass until the line is known; return how many have."""
        with self._changed:
            self._is_frozen = True
            return self._passed

    def settle(self, line: int) -> None:
        """All ranks stop at check number `line`, counted from 1."""
        with self._changed:
            self._line = line
            self._changed.notify_all()


class StopBarriers:
    """The stop barriers of the latest attempts; whoever asks first makes one: who does the work, or who listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._barriers: dict[Ticket, StopBarrier] = {}

    def of(self, ticket: Ticket) -> StopBarrier:
        with self._lock:
            barrier = self._barriers.setdefault(ticket, StopBarrier())
            while len(self._barriers) > KEPT_BARRIERS:
                del self._barriers[next(iter(self._barriers))]
            return barrier


def handle_commands(call: Callable[..., Any], barriers: StopBarriers, die: Callable[[], None]) -> None:
    """Do what the coordinator tells this worker besides orders; runs beside the work, until the worker has to go.

    Args:
        call: calls a method of the coordinator in the name of this worker.
        barriers: of this worker.
        die: ends the process.
    """
    seen: Ticket | None = None
    while True:
        command, ticket = call("watch", seen)
        if command is Command.LEAVE:
            return
        if command is Command.DIE:
            die()
            return
        if command is Command.STOP and ticket is not None:
            seen = ticket
            barrier = barriers.of(ticket)
            number = call("stop_check", ticket, barrier.freeze())
            if number is not None:
                barrier.settle(number)


class Channel:
    """One rank's view of one attempt at an order.

    Attributes:
        rank: of this worker in the process group.
        size: number of workers.
        attempt: 0, and one more each time the order is begun again because workers died; the work function then
            resumes from its newest checkpoint.
        device: the torch device of this rank.
        nodes: on which the ranks run, by Ray's ids.
        ended_by: what ended the attempt before this one, for the user; empty for the first.
    """

    def __init__(
        self,
        ticket: Ticket,
        rank_of_size: tuple[int, int],
        device: "torch.device",
        stop_barrier: StopBarrier,
        send: Callable[[Ticket, int, Any], bool],
        nodes: Sequence[str] = (),
        ended_by: str = "",
    ) -> None:
        self.nodes, self.ended_by = tuple(nodes), ended_by
        self.attempt = ticket.attempt
        self.rank, self.size = rank_of_size
        self.device = device
        self._ticket = ticket
        self._stop_barrier = stop_barrier
        self._send = send
        self._reports = 0

    def report(self, value: Any) -> bool:
        """Report, and wait until the one who ordered the work asks for more; all ranks call it at the same points.

        Args:
            value: what rank 0 passes travels, pickled; that of other ranks is ignored.

        Returns:
            Whether to go on. False means that the order was abandoned: the work function returns. The same on all
            ranks.
        """
        goes_on = self._send(self._ticket, self._reports, value)
        self._reports += 1
        if not goes_on:
            self._stop_barrier.settle(0)
        return goes_on

    def is_abandoned(self) -> bool:
        """Whether to stop before the next step; all ranks ask at the same points, and all get the same answer.

        Costs a microsecond: nothing is sent.
        """
        return self._stop_barrier.is_reached()
