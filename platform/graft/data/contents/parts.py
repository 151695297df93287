"""The bytes of samples that are parts of larger files: members of archives, cells of tables.

A file is stamped when it is listed. Whoever reads a part of it later, on any machine, checks the stamp: a set that
changes while it is read is an error, not a mixture of two sets.
"""

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graft.core.errors import DataError
from graft.core.passing_errors import is_passing, machine_errors, printable_path, reason_of
from graft.data.read import MAX_FILE_BYTES, Unreachable, Unreadable

_PART = struct.Struct("<IQQ")


class Contents(Protocol):
    """Gives the bytes behind an entry of `Listing.sources`; raises `Unreadable`. Picklable."""

    def __call__(self, source: bytes) -> bytes: ...


@dataclass(frozen=True)
class StampedFile:
    """A file as it was when it was listed.

    Attributes:
        path: absolute, in the file system's own bytes.
        size: in bytes.
        changed: time of change, in ns.
    """

    path: bytes
    size: int
    changed: int

    @classmethod
    def of(cls, path: Path) -> "StampedFile":
        """A regular file, as it is now.

        Raises:
            OSError: it cannot be looked at.
        """
        found = os.stat(path)
        return cls(os.fsencode(path), found.st_size, found.st_mtime_ns)

    def require_same(self, found: os.stat_result) -> None:
        """Check that the file is still the one that was listed.

        Raises:
            DataError: it is not.
        """
        if stat.S_ISREG(found.st_mode) and (found.st_size, found.st_mtime_ns) == (self.size, self.changed):
            return
        grown = f"{self.size} bytes then, {found.st_size} now" if found.st_size != self.size else "its time of change"
        raise DataError(
            f"{printable_path(self.path)} has changed while it was read ({grown}), but data must stay as they are; run "
            "again when nothing writes to it"
        )

    def to_list(self) -> list[str | int]:
        """What identifies it, for a digest."""
        return [printable_path(self.path), self.size, self.changed]


def part(file: int, offset: int, size: int) -> bytes:
    """A part of a file as a source: number of the file, first byte, number of bytes."""
    return _PART.pack(file, offset, size)


def place_of(source: bytes) -> tuple[int, int, int]:
    """The inverse of `part`."""
    number, offset, size = _PART.unpack(source)
    return number, offset, size


@dataclass(frozen=True)
class FileParts:
    """Reads parts of files; a source is a `part`.

    Attributes:
        files: by their number.
        most: bytes that a sample may have.
    """

    files: tuple[StampedFile, ...]
    most: int = MAX_FILE_BYTES

    def __call__(self, source: bytes) -> bytes:
        """The bytes of a part.

        Raises:
            Unreadable: it has more bytes than a sample may have, or the file is gone.
            DataError: the file has changed since it was listed.
        """
        number, offset, size = place_of(source)
        if size > self.most:
            raise Unreadable(f"has {size / 1024**2:.0f} MiB, more than a sample can have")
        file = self.files[number]
        with machine_errors(printable_path(file.path)):
            try:
                return _read(file, offset, size)
            except OSError as error:
                kind = Unreachable if is_passing(error) else Unreadable
                raise kind(f"cannot be read ({reason_of(error)})") from error


def _read(file: StampedFile, offset: int, size: int) -> bytes:
    handle = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        file.require_same(os.fstat(handle))
        content = b""
        while len(content) < size:
            chunk = os.pread(handle, size - len(content), offset + len(content))
            if not chunk:
                raise Unreadable(f"ends after {len(content)} of {size} bytes")
            content = content + chunk if content else chunk
        return content
    finally:
        os.close(handle)
