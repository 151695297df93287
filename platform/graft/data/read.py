"""Careful reading of a user's files: regular files of a size that a sample can have, and a reason for every other."""

import os
import stat

from graft.core.passing_errors import is_passing, is_used_up, printable_path, reason_of, used_up
from graft.core.storage import pointer_reason
from graft.data.remote.address import is_remote_source

MAX_FILE_BYTES = 512 * 1024**2
"""No sample is larger; a disk image named .png must not be read into memory to find that out."""


class Unreadable(ValueError):  # noqa: N818 - it names the state of a file, and callers read it so
    """A sample that cannot be used; the message is a reason that fits behind the file's name ("is empty").

    Attributes:
        kind: of the finding that it is.
    """

    kind = "unreadable"


class Oversized(Unreadable):
    """A sample that is larger than any should be, or says that it will be once it is decoded."""

    kind = "bomb"


class Unreachable(Unreadable):
    """A sample that cannot be had at the moment; its bytes may be as good as any, so nothing remembers this."""


def read_file(path: bytes | str | os.PathLike[str], most: int = MAX_FILE_BYTES) -> bytes:
    """The content of a regular file, or of an object in a store (`graft.data.remote`), within the size limit.

    Raises:
        Unreadable: it is not there, is no regular file (a pipe would wait for ever), or is too large.
        Unreachable: it cannot be opened or read now, which says nothing of its bytes.
        ResourceError: memory or file handles have run out; or a store cannot be used.
    """
    if is_remote_source(path):
        from graft.data.remote.read import read_remote  # its libraries take a second

        return _fetched(read_remote(path, most))
    try:
        return _fetched(_content(path, most))
    except (OSError, MemoryError) as error:
        if is_used_up(error):
            raise used_up(printable_path(path), error) from error
        kind = Unreachable if is_passing(error) else Unreadable
        raise kind(f"cannot be read ({reason_of(error)})") from error
    except ValueError as error:  # a path with NUL, as a table can hold it
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"is no path ({error})") from error


def _fetched(content: bytes) -> bytes:
    if reason := pointer_reason(content[:64]):
        raise Unreadable(reason)
    return content


def _content(path: bytes | str | os.PathLike[str], most: int) -> bytes:
    # Before it is opened: opening alone makes some devices act, and waits at a pipe.
    _require_regular(os.stat(path), most)
    # What was a file a moment ago may be a pipe now.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
        _require_regular(os.fstat(stream.fileno()), most)
        content = stream.read(most + 1)  # a file of the system, or one that grows, may hold more than its size
    if len(content) > most:
        raise Oversized(f"has more than {most / 1024**2:.0f} MiB, more than a sample can have")
    return content


def _require_regular(found: os.stat_result, most: int) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable("is not a regular file")
    if found.st_size > most:
        raise Oversized(f"has {found.st_size / 1024**2:.0f} MiB, more than a sample can have")
