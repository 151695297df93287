"""One process at a time, as long as it lives: a lock that a crash cannot leave behind."""

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from graft.core.private_files import open_private
from graft.core.process_identity import ProcessIdentity


@contextlib.contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file `path` within the block; yields whether it is held, which without `wait` may be false."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = open_private(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        os.ftruncate(file, 0)
        os.pwrite(file, ProcessIdentity.here().to_text().encode(), 0)
        yield True
    finally:
        os.close(file)


def is_held(path: Path) -> bool:
    """Whether anybody holds the lock file."""
    with exclusive(path, wait=False) as free:
        return not free


def holder(path: Path) -> ProcessIdentity | None:
    """Who holds the lock file; None if nobody does, or the holder has not said who it is."""
    with exclusive(path, wait=False) as free:
        return None if free else ProcessIdentity.from_text(path.read_text(errors="replace"))


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
