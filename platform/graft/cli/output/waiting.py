"""Says what a command is still at, once it takes longer than some seconds: a server that does not answer, say."""

import contextlib
import threading
from collections.abc import Iterator

from graft.cli.output.tell import tell
from graft.journal.locking import PATIENCE_S


@contextlib.contextmanager
def telling_long_wait(what: str, patience: float = PATIENCE_S) -> Iterator[None]:
    """If the block takes longer than `patience` seconds, print once what it is still at."""
    timer = threading.Timer(patience, tell, (f"still {what} …",), {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
