"""Reads one sample from a store, and several ahead of the one that is wanted, so that nobody waits for each answer."""

import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

from graft.core.passing_errors import is_used_up, used_up
from graft.data.read import Unreachable, Unreadable
from graft.data.remote.address import Address, is_remote_source
from graft.data.remote.faults import Fault, StoreError, told
from graft.data.remote.listing import refusal
from graft.data.remote.patience import READING, Patience, asked
from graft.data.remote.store import Reserve, open_store

AHEAD = 16
"""Samples of a block that are on their way at once; what a store takes to answer is spent on all of them together."""
AHEAD_BYTES = 128 * 1024**2
"""What they may hold together; a larger one comes alone."""


def read_remote(source: bytes, most: int) -> bytes:
    """The content of an object; one that `fetching` has on its way is waited for.

    Raises:
        Unreadable: it is gone, or too large.
        Unreachable: it alone cannot be had now.
        ResourceError: the store cannot be reached or lets nobody in: what comes after would meet the same.
    """
    ahead = _AHEAD.get()
    content = _fetched_alone(source, most) if ahead is None else ahead.content(source, most)
    if len(content) > most:
        raise Unreadable(f"has more than {most / 1024**2:.0f} MiB, more than a sample can have")
    return content


@contextmanager
def fetching(sources: Sequence[bytes], most: int) -> Iterator[None]:
    """Within the block, `read_remote` finds these on their way, in this order, from the first that is asked for on.

    What nobody asks for is not fetched: a text may begin like an address.

    Args:
        sources: as `Listing.sources` has them.
        most: bytes that one of them may have.
    """
    ahead = _Ahead(sources, most)
    token = _AHEAD.set(ahead)
    try:
        yield
    finally:
        _AHEAD.reset(token)
        ahead.close()


def _fetched_alone(source: bytes, most: int) -> bytes:
    return _fetched(source, most, READING, lambda count: None)


def _fetched(source: bytes, most: int, patience: Patience, reserve: Reserve) -> bytes:
    address = Address.of(os.fsdecode(source))
    try:
        return asked(lambda: open_store(address).read(address.key, most, reserve), patience)
    except StoreError as error:
        raise _of_sample(address, error) from error
    except Exception as error:
        if is_used_up(error):
            raise used_up(str(address), error) from error
        raise


def _of_sample(address: Address, error: StoreError) -> Exception:
    """Whether one object is to blame, or all of the store."""
    if error.fault is Fault.NOTHING_THERE:
        return Unreadable("is not there any more; it was when the data were listed")
    if address.is_web:
        return Unreachable(f"cannot be had ({error.told})")
    if error.fault in (Fault.DENIED, Fault.OTHER):
        general = refusal(address)
        return told(address, general) if general else Unreachable(f"cannot be had ({error.told})")
    return told(address, error)


class _Ahead:
    """Objects on their way, so many of them and so many bytes at once."""

    def __init__(self, sources: Sequence[bytes], most: int) -> None:
        self._waiting, self._most = deque(sources), most
        self._coming: dict[bytes, deque[tuple[Future[bytes], object]]] = {}
        self._pool = ThreadPoolExecutor(AHEAD, "graft-read")
        self._room = threading.Condition()
        self._held: dict[object, int] = {}
        self._wanted: object = None
        self._is_closed = threading.Event()
        self._is_started = False

    def content(self, source: bytes, most: int) -> bytes:
        """The bytes of an object, when they are there; the next one sets out."""
        if not self._is_started:
            self._start()
        if source not in self._coming:  # not in the order that was said
            return _fetched_alone(source, most)
        future, ticket = self._coming[source].popleft()
        if not self._coming[source]:
            del self._coming[source]
        with self._room:
            self._wanted = ticket
            self._room.notify_all()
        try:
            return future.result()
        finally:
            with self._room:
                self._held.pop(ticket, None)
                self._room.notify_all()
            self._send_next()

    def _start(self) -> None:
        self._is_started = True
        self._waiting = deque(source for source in self._waiting if is_remote_source(source))
        for _ in range(AHEAD):
            self._send_next()

    def close(self) -> None:
        """Stop what nobody waits for any more."""
        self._is_closed.set()
        with self._room:
            self._room.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _send_next(self) -> None:
        if not self._waiting:
            return
        source, ticket = self._waiting.popleft(), object()
        patience, reserve = replace(READING, wait=self._pause), self._reserve(ticket)
        future = self._pool.submit(_fetched, source, self._most, patience, reserve)
        self._coming.setdefault(source, deque()).append((future, ticket))

    def _reserve(self, ticket: object) -> Reserve:
        def reserve(count: int) -> None:
            with self._room:
                self._room.wait_for(lambda: self._has_room(ticket, count))
                if self._is_closed.is_set():
                    raise CancelledError
                self._held[ticket] = count

        return reserve

    def _has_room(self, ticket: object, count: int) -> bool:
        # Who is waited for must not wait for those behind it.
        others = sum(held for other, held in self._held.items() if other is not ticket)
        return others + count <= AHEAD_BYTES or not others or ticket is self._wanted or self._is_closed.is_set()

    def _pause(self, seconds: float) -> None:
        if self._is_closed.wait(seconds):
            raise CancelledError


_AHEAD: ContextVar[_Ahead | None] = ContextVar("ahead", default=None)
