"""Says what a command is still at, once it takes longer than some seconds: a server that does not answer, say."""

from contextlib import AbstractContextManager

from graft.cli.output.tell import tell
from graft.core.clock import acting_after
from graft.journal.locking import PATIENCE_S


def telling_long_wait(what: str, patience: float = PATIENCE_S) -> AbstractContextManager[None]:
    """If the block takes longer than `patience` seconds, print once what it is still at."""
    return acting_after(patience, lambda: tell(f"still {what} …", err=True))
