"""How large the record batches of an Arrow file become, before one of them is unpacked.

A compressed buffer begins with the size that it is given memory for, and a few bytes may say any. So the messages of a
file are read here first (format/Message.fbs of the specification: tables of FlatBuffers, few fields of which are used).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

_HEADER, _DICTIONARY_DATA = 2, 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_BUFFER = 16
_MAGIC_BYTES = 8
"""In front of the first message of a file."""


@dataclass(frozen=True)
class BatchPart:
    """A record batch, or a dictionary that others point to.

    Attributes:
        start: of its message in the file.
        is_dictionary: whether it is one.
        num_rows: of it.
        unpacked: bytes that it becomes.
    """

    start: int
    is_dictionary: bool
    num_rows: int
    unpacked: int


def parts_of(path: Path, is_stream: bool) -> Iterator[BatchPart]:
    """Record batches and dictionaries of an Arrow file, in their order.

    Raises:
        ValueError: a message is damaged; Arrow's own errors, too.
    """
    with pa.memory_map(str(path)) as source:
        source.seek(0 if is_stream else _MAGIC_BYTES)
        while True:
            start = source.tell()
            try:
                message = pa.ipc.read_message(source)
            except EOFError:
                return
            if message.type in ("record batch", "dictionary"):
                yield _part(start, message)


def _part(start: int, message: Any) -> BatchPart:
    metadata, body = memoryview(message.metadata), memoryview(message.body or b"")
    try:
        header = _indirect(metadata, _field(metadata, _number("<I", metadata, 0), _HEADER))
        is_dictionary = message.type == "dictionary"
        if is_dictionary:
            header = _indirect(metadata, _field(metadata, header, _DICTIONARY_DATA))
        length = _field(metadata, header, _LENGTH)
        num_rows = _number("<q", metadata, length) if length else 0
        return BatchPart(start, is_dictionary, num_rows, _unpacked(metadata, header, body))
    except (struct.error, IndexError) as error:
        raise ValueError("a message of it is damaged") from error


def _unpacked(metadata: memoryview, header: int, body: memoryview) -> int:
    buffers = _field(metadata, header, _BUFFERS)
    if not _field(metadata, header, _COMPRESSION) or not buffers:
        return len(body)
    first = _indirect(metadata, buffers)
    total = 0
    for index in range(_number("<I", metadata, first)):
        offset, length = struct.unpack_from("<qq", metadata, first + 4 + index * _BUFFER)
        if length > 0:
            said = _number("<q", body, offset)
            total += length if said == -1 else said  # -1: this one is as it is
    return total


def _field(content: memoryview, table: int, index: int) -> int:
    """Where a field of a table lies; 0 if it has none."""
    vtable = table - _number("<i", content, table)
    if vtable < 0 or 4 + 2 * index >= _number("<H", content, vtable):
        return 0
    offset = _number("<H", content, vtable + 4 + 2 * index)
    return table + offset if offset else 0


def _indirect(content: memoryview, at: int) -> int:
    return at + _number("<I", content, at)


def _number(kind: str, content: memoryview, at: int) -> int:
    if at < 0:
        raise IndexError(at)
    return int(struct.unpack_from(kind, content, at)[0])
