"""Careful reading of a user's files: regular files of a size that a sample can have, and a reason for every other."""

import os
import stat

MAX_FILE_BYTES = 512 * 1024**2
"""No sample is larger; a disk image named .png must not be read into memory to find that out."""


class Unreadable(ValueError):  # noqa: N818 - it names the state of a file, and callers read it so
    """A sample that cannot be used; the message is a reason that fits behind the file's name ("is empty")."""


def read_file(path: bytes | str | os.PathLike[str], most: int = MAX_FILE_BYTES) -> bytes:
    """The content of a regular file within the size limit.

    Raises:
        Unreadable: it cannot be opened, is no regular file (a pipe would wait for ever), or is too large.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("is not a regular file")
        if found.st_size > most:
            raise Unreadable(f"has {found.st_size / 1024**2:.0f} MiB, more than a sample can have")
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error
    except ValueError as error:  # a path with NUL, as a table can hold it
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"is no path ({error})") from error
