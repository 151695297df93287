"""One process at a time, as long as it lives: a lock that a crash cannot leave behind."""

import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from graft.core.private_files import open_private, open_regular, read_regular
from graft.core.process_identity import ProcessIdentity

_LOG = logging.getLogger(__name__)

PATIENCE_S = 5.0
"""How long anybody waits without saying for whom."""

_PAUSE_S = 0.02
_MAX_NAME = 4096


@contextlib.contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file `path` within the block; yields whether it is held, which without `wait` may be false.

    Who waits for longer than some seconds says in the log for whom.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open_private(path, os.O_RDWR)
    try:
        if not _lock(file, path, wait):
            yield False
            return
        os.ftruncate(file, 0)
        os.pwrite(file, ProcessIdentity.here().to_text().encode(), 0)
        yield True
    finally:
        os.close(file)


def _lock(file: int, path: Path, wait: bool) -> bool:
    for _ in range(round(PATIENCE_S / _PAUSE_S) if wait else 1):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_PAUSE_S if wait else 0)
        else:
            return True
    if wait:
        who = ProcessIdentity.from_text(os.pread(file, _MAX_NAME, 0).decode(errors="replace"))
        _LOG.warning("waits for %s to let go of %s", f"process {who.pid}" if who else "another process", path)
        fcntl.flock(file, fcntl.LOCK_EX)
    return wait


def is_held(path: Path) -> bool:
    """Whether anybody holds the lock file. Looking writes nothing: the disk may be one that can only be read."""
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def holder(path: Path) -> ProcessIdentity | None:
    """Who holds the lock file; None if nobody does, or the holder has not said who it is."""
    return ProcessIdentity.from_text(read_regular(path).decode(errors="replace")) if is_held(path) else None


def try_lock(file: int, mode: int, attempts: int) -> bool | None:
    """Lock an open file; true if it is held now, false if somebody else has it, None where there are no such locks.

    Args:
        file: its descriptor; closing it ends the lock.
        mode: `fcntl.LOCK_EX`, or `fcntl.LOCK_SH`.
        attempts: within some hundredths of a second, for those who only look whether it is free hold it too.
    """
    for attempt in range(attempts):
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02 * (attempt + 1 < attempts))
        except OSError as error:
            if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL):
                return None
            raise
        else:
            return True
    return False
