"""Time as a parameter, so that nothing has to sleep to be tested."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol


class Clock(Protocol):
    """Seconds: `now` since the epoch for records, `elapsed` monotonic for durations."""

    def now(self) -> float: ...

    def elapsed(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def elapsed(self) -> float:
        return time.monotonic()


@contextlib.contextmanager
def acting_after(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """If the block takes longer, act once, in a thread of its own; after the block nothing acts any more."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
