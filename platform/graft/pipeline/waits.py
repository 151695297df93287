"""Waits for others: nobody waits for longer than some seconds without saying for whom, or for ever."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from graft.core.clock import Clock
from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal
from graft.journal.locking import PATIENCE_S

T = TypeVar("T")


@contextlib.contextmanager
def telling_long_wait(journal: Journal, for_whom: Callable[[], str], patience: float = PATIENCE_S) -> Iterator[None]:
    """If the block takes longer than some seconds, journal what it waits for, and when that is over."""
    told = threading.Event()

    def tell() -> None:
        told.set()
        journal.append(ResourcesAwaited(for_whom()))

    timer = threading.Timer(patience, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        if told.is_set():
            journal.append(ResourcesAwaited(""))


def again_while(error: type[Exception], ask: Callable[[], T], clock: Clock, seconds: float) -> T:
    """Ask again while that raises `error`, which must wait by itself, for at most so many seconds; then raise it."""
    began = clock.elapsed()
    while True:
        try:
            return ask()
        except error:
            if clock.elapsed() - began >= seconds:
                raise
