"""Where the columns of a Parquet file lie, and how large they become, before one of them is unpacked.

Arrow gives a page the memory that its header asks for, and ends the process where some parts of a damaged footer are
asked for. So footer and headers are read here, as parquet.thrift of the format's specification has them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from graft.data.columnar.thrift import Struct, read_struct

_HEADER_BYTES = 64 * 1024
"""Statistics in a header may hold the smallest and the largest value; no writer keeps long ones."""
_DICTIONARY = 2


@dataclass(frozen=True)
class Chunk:
    """A column of a row group.

    Attributes:
        column: name of the column at the top.
        start: first byte.
        size: in bytes, packed.
    """

    column: str
    start: int
    size: int


@dataclass(frozen=True)
class RowGroup:
    """Rows that are stored together."""

    num_rows: int
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True)
class Page:
    """A page of a column.

    Attributes:
        is_dictionary: whether it holds the values that others point to.
        unpacked: bytes that it becomes.
    """

    is_dictionary: bool
    unpacked: int


def row_groups(footer: bytes) -> tuple[RowGroup, ...]:
    """The row groups that a footer (`FileMetaData`) says.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return tuple(_row_group(found) for found in read_struct(footer)[0].get(4) or ())
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError("its footer is damaged") from error


def pages_of(stream: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    """The pages of a column, by their headers.

    Raises:
        ValueError: a header is damaged, or says what cannot be.
    """
    at, end = chunk.start, chunk.start + chunk.size
    while at < end:
        stream.seek(at)
        found, length = read_struct(stream.read(min(_HEADER_BYTES, end - at)))
        unpacked, packed = _number(found, 2), _number(found, 3)
        if at + length + packed > end:
            raise ValueError("a page lies outside of its column")
        yield Page(found.get(1) == _DICTIONARY, unpacked)
        at += length + packed


def _row_group(found: Struct) -> RowGroup:
    return RowGroup(_number(found, 3), tuple(_chunk(one[3]) for one in _sequence(found, 1)))


def _chunk(found: Struct) -> Chunk:
    starts = [start for start in (found.get(9), found.get(11)) if isinstance(start, int) and start > 0]
    path = _sequence(found, 3)
    return Chunk(bytes(path[0]).decode("utf-8", "surrogateescape"), min(starts, default=0), _number(found, 7))


def _number(found: Struct, field: int) -> int:
    value = found.get(field)
    if not isinstance(value, int) or value < 0:
        raise ValueError("a header lacks a size, or says that it is negative")
    return value


def _sequence(found: Struct, field: int) -> Sequence[Any]:
    value = found[field]
    if not isinstance(value, list):
        raise ValueError("its footer is damaged")
    return value
