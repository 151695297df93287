"""A process that trains the heads of several trials together, and how a trial has its own trained there.

Each trial is a thread of the host; the threads meet before each epoch (`rendezvous`). A trial's own process needs no
accelerator and next to no CPU: it hands over an order, and relays what the host reports, in lockstep.
"""

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4
from zlib import crc32

import ray
import torch
from ray.exceptions import ActorUnavailableError, RayActorError

from graft.core.errors import GraftError, ResourceError, TrialError
from graft.training.rendezvous import Rendezvous
from graft.workers.allocation import Allocation

# How often a host may die before its trials are given up.
RESTARTS = 3
# How long a host may take to come back, and how often it is asked whether it has.
RESTART_S, ASK_S = 300.0, 0.2


@dataclass(frozen=True)
class HostMessage:
    """What comes from a trial's thread: a report, or that it is over, with the reason if that is an error.

    `is_lost` comes from a host that does not know the order: it began in the process before.
    """

    report: Any = None
    is_over: bool = False
    error: GraftError | None = None
    is_lost: bool = False


class Seat:
    """A trial's place in the host: what the work function is given.

    Attributes:
        rendezvous: where it meets the others.
    """

    def __init__(self, rendezvous: Rendezvous) -> None:
        self.rendezvous = rendezvous
        self._messages: queue.SimpleQueue[HostMessage] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def report(self, report: Any) -> bool:
        """Hand a report over; whether to go on, as soon as somebody says so. Others compute meanwhile."""
        self._messages.put(HostMessage(report))
        with self.rendezvous.away():
            return self._answers.get()

    def receive(self) -> HostMessage:
        """What the trial says next."""
        return self._messages.get()

    def answer(self, may_go_on: bool) -> None:
        """Whether the trial may go on after its report."""
        self._answers.put(may_go_on)

    def end(self, error: GraftError | None) -> None:
        """The last message."""
        self._messages.put(HostMessage(is_over=True, error=error))


WorkInHost = Callable[[Any, Any, Seat], None]
"""``work(order, payload, seat)``: trains one trial; it returns when `seat.report` says that it may not go on."""


class HeadsHost:
    """The actor; its calls block, so it needs a thread for each trial and some more.

    Args:
        work: trains one trial.
        payload: what all orders share.
        num_threads: of torch.
    """

    def __init__(self, work: WorkInHost, payload: Any, num_threads: int) -> None:
        torch.set_num_threads(num_threads)
        self._work = work
        self._payload = payload
        self._rendezvous = Rendezvous()
        self._seats: dict[str, Seat] = {}
        self._names: dict[str, str] = {}

    def begin(self, trial: str, name: str, order: Any) -> None:
        """Start a thread on an order; one of the same trial, whose process must have died, ends."""
        self.abandon(self._names.get(trial, ""))
        self._names[trial] = name
        seat = self._seats[name] = Seat(self._rendezvous)
        threading.Thread(target=self._do, args=(seat, order), name=name, daemon=True).start()

    def next(self, name: str, may_go_on: bool | None) -> HostMessage:
        """Answer the report before, if there was one, and wait for the next."""
        seat = self._seats.get(name)
        if seat is None:
            return HostMessage(is_lost=True)
        if may_go_on is not None:
            seat.answer(may_go_on)
        message = seat.receive()
        if message.is_over:
            self._seats.pop(name, None)
        return message

    def is_up(self) -> bool:
        """An answer: the process is there."""
        return True

    def abandon(self, name: str) -> None:
        """Nobody listens to an order any more: its thread ends at its next report."""
        seat = self._seats.pop(name, None)
        if seat is not None:
            seat.answer(False)

    def _do(self, seat: Seat, order: Any) -> None:
        error: GraftError | None = None
        try:
            with self._rendezvous.taking_part():
                self._work(order, self._payload, seat)
        except GraftError as found:
            error = found
        except Exception as found:
            traceback.print_exc()
            error = TrialError(f"{type(found).__name__}: {found}")
        seat.end(error)


@dataclass(frozen=True)
class HeadsHandle:
    """What a trial needs to be trained by the hosts; can be pickled into any process of the Ray job."""

    _hosts: Sequence[Any]

    def run(self, trial: str, order: Any) -> Iterator[Any]:
        """Have a host do an order; yield what it reports. The host goes on when the next item is asked for.

        Leaving the loop abandons the order. After a host's death the order is begun again by another process, and
        reports may come twice.

        Raises:
            GraftError: what the work function raised.
            ResourceError: the host died too often, or does not come back.
        """
        host = self._hosts[crc32(trial.encode()) % len(self._hosts)]
        while True:
            try:
                yield from _relay(host, trial, order)
            except (RayActorError, _OrderLostError):
                _wait_until_up(host)
                continue
            return


@contextmanager
def heads_hosts(work: WorkInHost, payload: Any, allocation: Allocation, trials: int) -> Iterator[HeadsHandle]:
    """Start hosts, and end them when the block is left.

    Args:
        work: what they do with an order; can be imported or pickled.
        payload: what all orders share; put into the object store once.
        allocation: how many hosts, and what each occupies; torch uses as many threads as it has CPUs.
        trials: most at once in one of them.
    """
    options = {"max_restarts": RESTARTS, "max_concurrency": 2 * trials + 2, "label_selector": allocation.labels}
    kind = ray.remote(num_cpus=allocation.cpus, num_gpus=allocation.gpus, **options)(HeadsHost)
    shared = ray.put(payload)
    hosts = [kind.remote(work, shared, allocation.num_threads) for _ in range(allocation.concurrent)]
    try:
        yield HeadsHandle(hosts)
    finally:
        for host in hosts:
            ray.kill(host)


class _OrderLostError(Exception):
    """The host is another process than the one that began the order."""


def _wait_until_up(host: Any) -> None:
    """Return when Ray has started a host again that has died: until then every call fails at once."""
    began = time.monotonic()
    while True:
        try:
            ray.get(host.is_up.remote())
            return
        except ActorUnavailableError as error:
            if time.monotonic() - began > RESTART_S:
                told = f"the process that trains heads together did not come back within {RESTART_S:.0f} s"
                raise ResourceError(f"{told}; see the Ray logs") from error
            time.sleep(ASK_S)
        except RayActorError as error:  # for good: Ray has started it as often as it may
            told = f"the process that trains heads together died {RESTARTS + 1} times"
            raise ResourceError(f"{told}; see the Ray logs") from error


def _relay(host: Any, trial: str, order: Any) -> Iterator[Any]:
    name, answer, is_over = uuid4().hex, None, False
    ray.get(host.begin.remote(trial, name, order))
    try:
        while True:
            message: HostMessage = ray.get(host.next.remote(name, answer))
            answer = True
            if message.is_lost:
                raise _OrderLostError
            if message.is_over:
                is_over = True
                break
            yield message.report
    finally:
        if not is_over and ray.is_initialized():
            with suppress(RayActorError):
                ray.get(host.abandon.remote(name))
    if message.error is not None:
        raise message.error
