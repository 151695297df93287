"""The members of a tar archive, by their headers alone: nothing is unpacked, and no member is read.

Python's `tarfile` keeps every member in memory, reads the extended headers of an archive whole, whatever they say of
their size, and goes round in circles where a size is negative; so only its parsing of a header is used here.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors

_BLOCK = 512
_MOST_EXTENDED = 1 << 20
"""Bytes of an extended header: a path, and little else."""
_GNU_NAME, _GNU_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_EXTENDED = (_GNU_NAME, _GNU_LINK, _PAX, _PAX_GLOBAL)
_COMPRESSED = {b"\x1f\x8b": "gzip -d", b"BZ": "bzip2 -d", b"\xfd7": "xz -d", b"\x28\xb5": "zstd -d"}
_KINDS = {
    tarfile.LNKTYPE: "link", tarfile.SYMTYPE: "link", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device",
    tarfile.FIFOTYPE: "pipe", tarfile.GNUTYPE_SPARSE: "file with holes",
}  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A member of an archive.

    Attributes:
        name: as the archive has it.
        offset: of its first byte.
        size: in bytes.
        refused: why it is no file that could be read, in a few words; empty if it is one.
    """

    name: str
    offset: int
    size: int
    refused: str = ""


def members_of(path: Path) -> Iterator[Member]:
    """All members of a tar archive but directories, in their order.

    Raises:
        DataError: it is compressed, damaged, or no tar archive.
        ResourceError: the machine cannot read it now.
    """
    try:
        with machine_errors(path), path.open("rb") as stream:
            yield from _Headers(path, stream).members()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error


class _Headers:
    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream = path, stream
        self._size = stream.seek(0, os.SEEK_END)
        self._name = ""
        self._sparse = False

    def members(self) -> Iterator[Member]:
        at = 0
        while at < self._size:
            header = self._header(at)
            if header is None:
                return
            begin = at + _BLOCK
            if _has_body(header) and not 0 <= header.size <= self._size - begin:
                raise DataError(f"{self._path} ends inside `{header.name[:80]}`; fetch it again")
            if header.type in _EXTENDED:
                self._extend(header, begin)
            else:
                yield from self._member(header, begin)
                self._name, self._sparse = "", False
            at = begin + (-(-header.size // _BLOCK) * _BLOCK if _has_body(header) else 0)
        if self._size == 0:
            raise DataError(f"{self._path} is empty, but must be a tar archive; fetch it again")

    def _header(self, at: int) -> tarfile.TarInfo | None:
        """The header at a place; None at the end of the archive."""
        self._stream.seek(at)
        block = self._stream.read(_BLOCK)
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # it is in no stub, but documented by use
            return None
        except (tarfile.HeaderError, ValueError, OverflowError) as error:
            raise self._fault(at, block) from error

    def _fault(self, at: int, block: bytes) -> DataError:
        tool = next((tool for mark, tool in _COMPRESSED.items() if block.startswith(mark)), None) if not at else None
        if tool:
            return DataError(
                f"{self._path} is compressed, but samples are read from any place in it, which needs a plain tar; "
                f"decompress it: {tool}"
            )
        if not at:
            return DataError(f"{self._path} is no tar archive, but must be one; check the file, or fetch it again")
        if len(block) < _BLOCK:
            return DataError(f"{self._path} ends inside a header at byte {at}; fetch it again")
        return DataError(f"{self._path} is damaged (no header at byte {at}); fetch it again")

    def _extend(self, header: tarfile.TarInfo, begin: int) -> None:
        """What an extended header says of the member behind it."""
        if header.size > _MOST_EXTENDED:
            raise DataError(
                f"{self._path} has an extended header of {header.size} bytes at byte {begin - _BLOCK}, but no name is "
                "as long; fetch it again"
            )
        self._stream.seek(begin)
        body = self._stream.read(header.size)
        if header.type == _GNU_NAME:
            self._name = _text(body.rstrip(b"\0"))
        elif header.type == _PAX:
            for key, value in _records(body):
                self._name = _text(value) if key == b"path" else self._name
                self._sparse |= key.startswith(b"GNU.sparse.")
                if key == b"size":
                    raise DataError(
                        f"{self._path} has a member of {_text(value)[:40]} bytes at byte {begin}, but no sample is as "
                        "large; is it the right file?"
                    )

    def _member(self, header: tarfile.TarInfo, begin: int) -> Iterator[Member]:
        name = self._name or header.name
        if header.isdir():
            return
        refused = _KINDS.get(header.type, "" if header.type in tarfile.REGULAR_TYPES else "member of no known kind")
        refused = refused or ("file with holes" if self._sparse else "") or _climbs(name)
        yield Member(name, begin, header.size, refused)


def _has_body(header: tarfile.TarInfo) -> bool:
    """Links, devices and directories have none, whatever their headers say of a size."""
    return header.isreg() or header.type not in tarfile.SUPPORTED_TYPES or header.type in _EXTENDED


def _climbs(name: str) -> str:
    """Why a name leads out of the archive; nothing is unpacked here, but who unpacks it elsewhere would be hurt."""
    return "path that leads out of the archive" if name.startswith("/") or ".." in name.split("/") else ""


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """``length key=value`` lines of a pax header (POSIX.1-2001); what is damaged ends them."""
    at = 0
    while at < len(body):
        length, _, _ = body[at : at + 20].partition(b" ")
        if not length.isdigit() or int(length) <= len(length) + 1:
            return
        key, _, value = body[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        yield key, value
        at += int(length)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
