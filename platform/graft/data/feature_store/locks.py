"""Locks on files that a crash cannot leave behind, and the errors of the disk they lie on.

A lock file may be deleted by whoever holds its lock. A lock belongs to the open file, so it also keeps apart two
threads of one process. What the disk refuses (`NotStored`) says what to do.
"""

import contextlib
import errno
import fcntl
import os
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from graft.core.errors import ResourceError
from graft.core.private_files import open_private

POLL_SECONDS = 0.05
"""How long a dead holder's lock may stay unnoticed by one who waits and tells of it."""


class Lock:
    """A held lock; closing lets it go, and so does the death of the process."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        # Also when nobody closes it: a lock that nothing can reach any more must not keep others out.
        self._let_go = weakref.finalize(self, os.close, handle)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go; a second time does nothing."""
        self._let_go()


def shared(path: Path) -> Lock:
    """Hold a lock beside others who hold it so; waits while somebody holds it alone."""
    while True:
        lock = _attempt(path, fcntl.LOCK_SH)
        if lock is not None:
            return lock


def try_exclusive(path: Path) -> Lock | None:
    """Hold a lock alone; None if anybody else holds it."""
    while True:
        try:
            lock = _attempt(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        if lock is not None:
            return lock


def exclusive(path: Path, on_wait: Callable[[float], None] | None = None) -> Lock:
    """Hold a lock alone, as soon as nobody else holds it.

    Args:
        path: the file; it is made if it is not there.
        on_wait: told, again and again, how many seconds the wait has lasted; what it raises ends the wait.
    """
    started = time.monotonic()
    while (lock := try_exclusive(path)) is None:
        if on_wait is not None:
            on_wait(time.monotonic() - started)
        time.sleep(POLL_SECONDS)
    return lock


def is_held(path: Path) -> bool:
    """Whether anybody holds the lock, in either way."""
    if not path.exists():
        return False
    handle = _opened(path, only_looks=True)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NotStored(ResourceError):  # noqa: N818 - the work goes on without
    """Features cannot be kept: the disk is full or cannot be written, or the cache may not be so large.

    Nothing was left behind, and nothing else is wrong: whoever catches it can compute without stored features.
    """


@contextlib.contextmanager
def write_errors_are_clear(directory: Path) -> Iterator[None]:
    """Turn an error of the disk into `NotStored`."""
    try:
        yield
    except NotStored:
        raise
    except ResourceError as error:
        raise NotStored(str(error)) from error
    except OSError as error:
        if error.errno in _NO_SPACE:
            reason, remedy = "no space left", "free some, or choose another --home"
        elif error.errno in (errno.ENOENT, errno.ESTALE):
            reason, remedy = "the directory was removed", "leave the cache alone while it is written to"
        else:
            reason, remedy = error.strerror or str(error), "choose another --home"
        raise NotStored(f"features cannot be stored in {directory} ({reason}); {remedy}") from error


def _attempt(path: Path, operation: int) -> Lock | None:
    """Lock the file; None if another one has meanwhile taken its name, so that the lock would keep nobody out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _opened(path, only_looks=operation == fcntl.LOCK_SH)
    try:
        fcntl.flock(handle, operation)
        if _same_file(handle, path):
            return Lock(path, handle)
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _opened(path: Path, only_looks: bool) -> int:
    """The file's descriptor; whoever only looks, or reads beside others, needs no disk that can be written."""
    try:
        return open_private(path, os.O_RDWR)
    except OSError as error:
        if error.errno != errno.EROFS or not only_looks or not path.exists():
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _same_file(handle: int, path: Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(handle)
    return (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino)
