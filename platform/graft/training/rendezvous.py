"""Where the threads of a process that train heads meet before each epoch, to train it in one computation."""

import itertools
import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from graft.data.batches import TrainingBatch
from graft.training.fused_heads import Ending, kinship, train_epoch_together
from graft.training.loop import train_epoch
from graft.training.session import Session

PATIENCE_S = 0.2


class Rendezvous:
    """Lets one thread compute at a time, and has those that are about to train an epoch do it together.

    One at a time, because all of them set the random state of torch, which a process has one of. An epoch begins when
    everybody who takes part has come, or `patience_s` after the first came: somebody who waits for an answer from
    elsewhere must not hold up the others for long.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._turn = threading.Condition(threading.Lock())
        self._taking_part = 0
        self._waiting: list[_Ticket] = []

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """Hold the turn, but for the time in `train_epoch` and `away`; a thread does all its work in here."""
        with self._turn:
            self._taking_part += 1
            try:
                yield
            finally:
                self._taking_part -= 1
                self._turn.notify_all()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let others compute meanwhile."""
        self._turn.release()
        try:
            yield
        finally:
            self._turn.acquire()

    def train_epoch(self, session: Session, batches: Iterable[TrainingBatch]) -> Ending | None:
        """`training.loop.train_epoch`, together with those who come and whose heads are alike; alone if none is."""
        batches = iter(batches)
        first = next(batches, None)
        kin = None if first is None else kinship(session, first[0])
        batches = batches if first is None else itertools.chain([first], batches)
        if kin is None:
            return train_epoch(session, batches)
        ticket = _Ticket(kin, session, batches)
        self._waiting.append(ticket)
        self._turn.notify_all()
        self._turn.wait_for(lambda: ticket.is_done or self._is_complete(), self._patience_s)
        if not ticket.is_done:
            self._train([one for one in self._waiting if one.kin == kin])
        return ticket.ending()

    def _is_complete(self) -> bool:
        return len(self._waiting) >= self._taking_part

    def _train(self, tickets: "list[_Ticket]") -> None:
        self._waiting = [one for one in self._waiting if one not in tickets]
        try:
            endings = train_epoch_together([one.session for one in tickets], [one.batches for one in tickets])
            for ticket, ending in zip(tickets, endings, strict=True):
                ticket.found = ending
        except Exception as error:
            for ticket in tickets:
                ticket.error = error
        finally:
            for ticket in tickets:
                ticket.is_done = True
            self._turn.notify_all()


@dataclass(eq=False)
class _Ticket:
    """Somebody who waits for an epoch, and what came of it."""

    kin: Hashable
    session: Session
    batches: Iterable[TrainingBatch]
    is_done: bool = False
    found: Ending | None = None
    error: Exception | None = None

    def ending(self) -> Ending | None:
        if self.error is not None:
            raise self.error
        return self.found
