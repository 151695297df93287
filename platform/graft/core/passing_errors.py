"""Which errors tell of the machine at this moment, and not of the file that was read.

A file that cannot be opened because a process has too many open, or that cannot be decoded for lack of memory, is not
damaged: what is remembered of it must not say so.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from graft.core.errors import GraftError, ResourceError

_USED_UP = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC, errno.EDQUOT})
_OF_THE_PATH = frozenset(
    {
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,
    }
)


# Libraries that are not written in Python wrap what the system said in errors of their own.
_OF_MEMORY = ("can't allocate memory", "Cannot allocate memory", "out of memory")
_WORDS = (*_OF_MEMORY, "Too many open files", "No space left on device")


def is_used_up(error: BaseException) -> bool:
    """Whether memory, disk or file handles have run out: the next file would meet the same."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _USED_UP
    return not isinstance(error, GraftError) and any(words in str(error) for words in _WORDS)


def lacks_memory(error: BaseException) -> bool:
    """Whether memory, of the machine or of its GPU, has run out."""
    if isinstance(error, GraftError):
        return False
    is_told = isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
    return is_told or any(words in str(error) for words in _OF_MEMORY)


def is_passing(error: BaseException) -> bool:
    """Whether an error may be gone the next time, with the same bytes: no permission, a faulty disk, a lost mount."""
    is_of_the_system = isinstance(error, OSError) and error.errno is not None
    return is_used_up(error) or (is_of_the_system and error.errno not in _OF_THE_PATH)  # type: ignore[attr-defined]


def reason_of(error: BaseException) -> str:
    """An error of the system in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = str(error).strip().partition("\n")[0]
    if lacks_memory(error) and not (told and isinstance(error, MemoryError)):  # torch's allocator tells of itself
        return "no memory left"
    return told or type(error).__name__


def printable_path(path: bytes | str | os.PathLike[str]) -> str:
    """A path for a message; bytes that are not UTF-8 are shown with escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def used_up(what: str, error: BaseException) -> ResourceError:
    """The error that tells what could not be read through no fault of its own."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        remedy = "raise the limit of open files (ulimit -n), or close other programs, and run again"
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        remedy = "free some of the disk and run again"
    elif not is_used_up(error):
        remedy = "check permissions and the disk, and run again"
    else:
        remedy = "free some memory, or raise its limit, and run again"
    return ResourceError(f"{what} cannot be read ({reason_of(error)}), which is no fault of the file; {remedy}")


@contextlib.contextmanager
def machine_errors(what: str | Path, is_ours: bool = False) -> Iterator[None]:
    """Turn what the machine is to blame for into the error that says so.

    Args:
        what: is being read, for the message.
        is_ours: whether graft has written it, so that it must be readable: any passing error counts then.

    Raises:
        ResourceError: memory, disk or file handles have run out.
    """
    try:
        yield
    except Exception as error:
        if is_used_up(error) or (is_ours and is_passing(error)):
            raise used_up(str(what), error) from error
        raise
