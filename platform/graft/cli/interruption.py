"""Ctrl-C in a command that goes on where it was stopped, if it is given again."""

from collections.abc import Iterator
from contextlib import contextmanager

from graft.core.errors import Interrupted


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
