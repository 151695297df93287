"""Hidden directories in which something is made, beside the place where it will go."""

import contextlib
import fcntl
import glob
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

_MARK = 4


def hidden_beside(path: Path) -> Path:
    """A name in the same directory, so that the final rename is atomic."""
    return path.with_name(f".{path.name}.{secrets.token_hex(_MARK)}")


@contextlib.contextmanager
def scratch_directory(target: Path) -> Iterator[Path]:
    """Yield a hidden directory beside `target`, of this block alone; it is gone when the block ends.

    What killed processes have left beside `target` goes, too. Each holds the lock of its own directory as long as it
    lives; where the file system has no such locks, nobody knows who lives, and what is left stays.
    """
    _sweep(target)
    scratch, lock = _locked(target)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(lock)


def _locked(target: Path) -> tuple[Path, int]:
    """A new directory and the descriptor that holds its lock; another one, if a sweep was faster than the lock."""
    while True:
        scratch = hidden_beside(target)
        scratch.mkdir()
        lock = os.open(scratch, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        except OSError:  # of this file system; then nothing is swept either
            return scratch, lock
        if scratch.exists():
            return scratch, lock
        os.close(lock)


def _sweep(target: Path) -> None:
    pattern = f".{glob.escape(target.name)}.{'[0-9a-f]' * 2 * _MARK}"
    for left in target.parent.glob(pattern):
        with contextlib.suppress(OSError):  # a file, somebody else's, already gone, or in use
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)
