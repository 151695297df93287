"""Ctrl-C as a wish instead of a blow: the search ends by itself, and the best model so far can be saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass
class Interrupt:
    """Whether Ctrl-C was pressed."""

    is_requested: bool = False


@contextmanager
def graceful_interrupt() -> Iterator[Interrupt]:
    """The first Ctrl-C in the block only sets a flag; the second is an ordinary KeyboardInterrupt."""
    interrupt = Interrupt()
    try:
        before = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, lambda number, frame: _note(interrupt, before))
    except ValueError:  # not the main thread: whoever called us there handles its signals itself
        yield interrupt
        return
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


def _note(interrupt: Interrupt, before: Any) -> None:
    interrupt.is_requested = True
    signal.signal(signal.SIGINT, before)
