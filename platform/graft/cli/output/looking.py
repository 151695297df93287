"""Says how far a look at the data, or work on its rows, has come, once it takes longer than a second."""

import time
from collections.abc import Callable
from typing import TextIO

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


def working(stream: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> Callable[[str, int, int], None]:
    """What to tell how many rows of how many are done; prints a line now and then, with the time that is left.

    Args:
        stream: where to; standard error if left out.
        now: seconds of a clock.
    """
    began: dict[str, tuple[float, int]] = {}
    due = now() + PATIENCE_S

    def progress(what: str, done: int, total: int) -> None:
        nonlocal due
        at, before = began.setdefault(what, (now(), done))
        if now() < due or done >= total:
            return
        due = now() + EVERY_S
        left = f", about {(now() - at) * (total - done) / (done - before):.0f} s left" if done > before else ""
        tell(f"{what}: {done:,} of {total:,}{left}", err=True, stream=stream)

    return progress
