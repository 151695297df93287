"""The lines of a journal: a record, the token of the writer that wrote it, and a checksum over both.

``{"v":1,"kind":"TrialStarted",…,"w":3,"crc":"1a2b3c4d"}``; lines without the last two, of journals from before there
were any, are taken as they are.

The token stands on every record, not only where a writer opens. A writer looks whether it still has the lease and then
writes; it may be suspended between the two, and what it writes when it wakes lies among the records of its successor.
Nothing but the record itself can say then who wrote it.
"""

import os
import re
import zlib
from dataclasses import dataclass

from graft.core.errors import ArtifactError
from graft.journal.event_json import from_json, is_newer, to_json
from graft.journal.events import Event

_BLOCK = 65536
_SEAL = re.compile(rb',"w":(\d+),"crc":"([0-9a-f]{8})"}$')


@dataclass(frozen=True)
class Line:
    """One line of a journal.

    Attributes:
        offset: byte at which it begins.
        end: byte behind it.
        event: what it records; None if it cannot be read, or its kind is one that this version does not know.
        problem: why it cannot be read; empty if it can.
        is_newer: it cannot be read because a newer graft has written it.
        is_torn: the last line, cut short by a crash, or still being written.
        is_fenced: written by one that had lost the lease by then; it does not count.
        text: as it stands in the file, without the line end.
    """

    offset: int
    end: int
    event: Event | None = None
    problem: str = ""
    is_newer: bool = False
    is_torn: bool = False
    is_fenced: bool = False
    text: bytes = b""


def encode(event: Event, token: int) -> bytes:
    """The line of a record, with its line end."""
    body = to_json(event)[:-1].encode() + b',"w":%d' % token
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


def decode(text: bytes) -> Event | None:
    """The record of a line; None if its kind is one that this version does not know.

    Raises:
        ArtifactError: it is damaged, or of a newer version.
    """
    sealed = _SEAL.search(text)
    if sealed is not None and not _is_whole(sealed):
        raise ArtifactError(f"journal record {text[:60]!r}… does not match its checksum")
    return from_json(text)


def token_of(text: bytes) -> int:
    """The token of the writer of a line; 0 if it has none, or is damaged."""
    sealed = _SEAL.search(text)
    return int(sealed[1]) if sealed is not None and _is_whole(sealed) else 0


def parse(offset: int, text: bytes, newest: int) -> Line:
    """The line that begins at an offset.

    Args:
        offset: where.
        text: of the line, with its line end if it has one.
        newest: the newest token of the lines before.
    """
    end = offset + len(text)
    if not text.endswith(b"\n"):
        return Line(offset, end, problem="the last line is cut short", is_torn=True, text=text)
    text = text[:-1]
    try:
        event = decode(text)
    except ArtifactError as error:
        return Line(offset, end, problem=str(error), is_newer=is_newer(text), text=text)
    # A line without a token is older than tokens are.
    return Line(offset, end, event, is_fenced=0 < token_of(text) < newest, text=text)


def token_before(file: int, offset: int) -> int:
    """The newest token in front of an offset of an open journal; 0 if there is none.

    It stands shortly before: a writer that has lost its lease adds one record at most.
    """
    block = os.pread(file, min(_BLOCK, offset), max(0, offset - _BLOCK))
    return max((token_of(text) for text in block.splitlines()), default=0)


def _is_whole(sealed: re.Match[bytes]) -> bool:
    return zlib.crc32(sealed.string[: sealed.end(1)]) == int(sealed[2], 16)
