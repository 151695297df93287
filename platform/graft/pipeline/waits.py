"""Waits for others: nobody waits for longer than some seconds without saying for whom, or for ever."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from graft.core.clock import Clock, acting_after
from graft.data.decoding.collect import OnProgress
from graft.data.remote.address import is_remote_source
from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal
from graft.journal.locking import PATIENCE_S

T = TypeVar("T")


@contextlib.contextmanager
def telling_long_wait(journal: Journal, for_whom: Callable[[], str], patience: float = PATIENCE_S) -> Iterator[None]:
    """If the block takes longer than some seconds, journal what it waits for, and when that is over."""
    with telling_wait(lambda what: journal.append(ResourcesAwaited(what)), for_whom, patience):
        yield


@contextlib.contextmanager
def telling_wait(tell: Callable[[str], object], for_whom: Callable[[], str], patience: float) -> Iterator[None]:
    """If the block takes longer, tell what it waits for, and an empty text when that is over."""
    told = threading.Event()

    def act() -> None:
        told.set()
        tell(for_whom())

    try:
        with acting_after(patience, act):
            yield
    finally:
        if told.is_set():
            tell("")


@contextlib.contextmanager
def telling_silent_store(journal: Journal, source: bytes, patience: float = PATIENCE_S) -> Iterator[OnProgress]:
    """Within the block, journal that nothing goes on because the store of a sample does not answer, and when it does.

    Args:
        journal: of the run.
        source: of a sample, as its listing has it; nothing is watched if it lies on this machine.
        patience: seconds without progress after which the store is asked.

    Yields:
        What is to be told of progress.
    """
    if not is_remote_source(source):
        yield lambda done, total: None
        return
    watch = _StoreWatch(journal, source, patience)
    thread = threading.Thread(target=watch.watch, daemon=True)
    thread.start()
    try:
        yield watch.progress
    finally:
        watch.ended.set()
        thread.join()
        watch.progress()


class _StoreWatch:
    def __init__(self, journal: Journal, source: bytes, patience: float) -> None:
        self._journal, self._source, self._patience = journal, source, patience
        self._moved, self._told = threading.Event(), threading.Event()
        self.ended = threading.Event()

    def progress(self, done: int = 0, total: int = 0) -> None:
        self._moved.set()
        if self._told.is_set():
            self._told.clear()
            self._journal.append(ResourcesAwaited(""))

    def watch(self) -> None:
        from graft.data.remote.listing import silence  # its libraries take a second

        while not self.ended.wait(self._patience):
            if self._moved.is_set() or self._told.is_set():
                self._moved.clear()
                continue
            why = silence(self._source)
            if why and not self.ended.is_set():
                self._told.set()
                self._journal.append(ResourcesAwaited(f"for {why}; reading goes on when it answers"))


def again_while(error: type[Exception], ask: Callable[[], T], clock: Clock, seconds: float) -> T:
    """Ask again while that raises `error`, which must wait by itself, for at most so many seconds; then raise it."""
    began = clock.elapsed()
    while True:
        try:
            return ask()
        except error:
            if clock.elapsed() - began >= seconds:
                raise
