"""How a command is asked to end: by Ctrl-C, or by SIGTERM, which does the same."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from graft.core.errors import Interrupted

_HEARD_TERMINATION = threading.Event()


def exit_code_of_interruption() -> int:
    """What shells have for a program that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM.

    A script tells by it that somebody wanted the end, and not that the work failed.
    """
    return 128 + (signal.SIGTERM if _HEARD_TERMINATION.is_set() else signal.SIGINT)


def hear_termination() -> None:
    """Have SIGTERM, by which containers, batch systems and service managers end a program, do what Ctrl-C does.

    By itself it would end this process at once, without a line, and Ray's own handler ends a run as if it had failed.
    Whoever has had it ignored is obeyed.
    """
    _HEARD_TERMINATION.clear()
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _as_ctrl_c)


@contextmanager
def goes_on_when_repeated(kept: str) -> Iterator[None]:
    """Have an interruption of the block say what is not lost by it.

    Args:
        kept: what is kept, such as "the answers are kept".

    Raises:
        Interrupted: the user pressed Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"interrupted; {kept}, and the same command goes on") from error


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    _HEARD_TERMINATION.set()
    now = signal.getsignal(signal.SIGINT)
    if callable(now):
        now(signal.SIGINT, frame)
        return
    raise KeyboardInterrupt  # scripts start what they put in the background deaf to Ctrl-C, and to that alone
