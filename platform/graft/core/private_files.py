"""Files and directories that only their owner can reach, whatever the umask says; and files that are files."""

import contextlib
import errno
import logging
import os
import stat
from collections.abc import Iterable
from pathlib import Path

PRIVATE_FILE, PRIVATE_DIRECTORY = 0o600, 0o700

_LOG = logging.getLogger(__name__)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def open_regular(path: str | os.PathLike[str], flags: int = os.O_RDONLY) -> int:
    """Open what must be a file; its descriptor. Opening a pipe would wait for whoever writes it, without an end.

    Raises:
        OSError: it cannot be opened, or is a directory, a pipe, a device or a socket.
    """
    file = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK, PRIVATE_FILE)
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return file
    os.close(file)
    code = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(code, os.strerror(code) if stat.S_ISDIR(mode) else "is a pipe, a device or a socket", os.fspath(path))


def read_regular(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """The content of what must be a file.

    Args:
        path: of it.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be read, is no file, or has more bytes.
    """
    with open(open_regular(path), "rb") as stream:
        if most is not None and os.fstat(stream.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"is larger than {most >> 20} MiB", os.fspath(path))
        return stream.read()


def open_private(path: Path, flags: int) -> int:
    """Open a file, made for its owner only if it is not there, and close one of ours to others; its descriptor."""
    file = open_regular(path, flags | os.O_CREAT)
    found = os.fstat(file)
    if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) != PRIVATE_FILE:
        with contextlib.suppress(PermissionError):  # a file system that knows no modes
            os.fchmod(file, PRIVATE_FILE)
    return file


def make_private_directory(path: Path) -> None:
    """Make a directory for its owner only, and so are parents that it lacks; one that is there stays as it is."""
    if not path.parent.exists():
        make_private_directory(path.parent)
    try:
        path.mkdir(mode=PRIVATE_DIRECTORY)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    _set_mode(path, PRIVATE_DIRECTORY)


def close_to_others(path: Path) -> None:
    """Take what others may do with a file or directory of ours away; says so where that is impossible."""
    try:
        found = path.lstat()
    except OSError:
        return
    is_ours = found.st_uid == os.geteuid() and not stat.S_ISLNK(found.st_mode)
    if is_ours and found.st_mode & _OTHERS:
        _set_mode(path, stat.S_IMODE(found.st_mode) & ~_OTHERS)


def close_directory(directory: Path, entries: Iterable[str]) -> None:
    """Close a directory to other users, and those of its entries that are there.

    A directory in which anything else lies too, such as a project's, is left as it is: others may need that; hidden
    files, such as a ``.gitignore``, do not count. So is one that everybody writes to, such as ``/tmp``. What is ours in
    it is closed all the same.
    """
    ours, place = frozenset(entries), directory.resolve()
    try:
        there = {entry.name for entry in os.scandir(place)}
        is_shared = bool(place.stat().st_mode & stat.S_ISVTX)
    except OSError:
        return
    others = {name for name in there - ours if not name.startswith(".")}
    if not others and not is_shared:
        close_to_others(place)
    for name in there & ours:
        close_to_others(place / name)


def _set_mode(path: Path, mode: int) -> None:
    with contextlib.suppress(OSError):
        path.chmod(mode)
    if path.stat().st_mode & _OTHERS:
        _LOG.warning("%s can be read by other users of this machine, and its mode cannot be changed", path)
