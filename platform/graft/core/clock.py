"""Time as a parameter, so that nothing has to sleep to be tested."""

import time
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
