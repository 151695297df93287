"""Says how far a look at the data has come, once it takes longer than a second."""

import time
from collections.abc import Callable

from graft.cli.output.tell import tell

PATIENCE_S = 1.0
EVERY_S = 5.0


def looking(noun: str, now: Callable[[], float] = time.monotonic) -> Callable[[int], None]:
    """What to tell the number of samples found so far; prints a line now and then, the first after a second.

    Args:
        noun: what the samples are called, plural.
        now: seconds of a clock.
    """
    due = now() + PATIENCE_S

    def progress(count: int) -> None:
        nonlocal due
        if now() >= due:
            due = now() + EVERY_S
            tell(f"looking at the data: {count:,} {noun} so far", err=True)

    return progress
