"""Cells of Parquet and Arrow columns as samples: a source is the place of a cell, whose bytes are read when needed."""

import bisect
import itertools
import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from graft.core.errors import DataError
from graft.core.passing_errors import is_passing, machine_errors, printable_path, reason_of
from graft.data.columnar.groups import ArrowGroups
from graft.data.contents.beside import file_beside
from graft.data.contents.parts import StampedFile
from graft.data.read import MAX_FILE_BYTES, Unreachable, Unreadable, read_file

_CELL = struct.Struct("<III")
DAMAGE = (pa.ArrowException, ValueError, KeyError, RecursionError)
"""What Arrow raises on damaged files, beside `OSError`."""


def cell(file: int, group: int, row: int) -> bytes:
    """A cell as a source: number of the file, of its row group or record batch, and row in it."""
    return _CELL.pack(file, group, row)


def place_of(source: bytes) -> tuple[int, int, int]:
    """The inverse of `cell`."""
    file, group, row = _CELL.unpack(source)
    return file, group, row


class CellSources(Sequence[bytes]):
    """The places of all cells of a column, made when asked for.

    Args:
        groups: rows of each group of each file.
    """

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        self._groups = [(file, group) for file, rows in enumerate(groups) for group in range(len(rows))]
        self._ends = list(itertools.accumulate(count for rows in groups for count in rows))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        at = bisect.bisect_right(self._ends, place)
        file, group = self._groups[at]
        return cell(file, group, place - (self._ends[at - 1] if at else 0))


class ColumnCells:
    """Reads cells of a column; a source is a `cell`. Rows that follow each other are read from an open file.

    Args:
        files: with the column, by their number.
        column: of bytes, of texts, or of structs with `bytes` and `path`, as Hugging Face keeps images.
        most: bytes that a sample may have.
    """

    def __init__(self, files: Sequence[StampedFile], column: str, most: int = MAX_FILE_BYTES) -> None:
        self.files, self.column, self.most = tuple(files), column, most
        self._cursor: _Cursor | None = None

    def __getstate__(self) -> tuple[Any, ...]:
        return self.files, self.column, self.most

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.files, self.column, self.most = state
        self._cursor = None

    def __call__(self, source: bytes) -> bytes:
        """The bytes of a cell.

        Raises:
            Unreadable: it is empty, or has more bytes than a sample may have.
            DataError: the file has changed since it was listed, or is damaged.
        """
        number, group, row = place_of(source)
        file = self.files[number]
        shown = printable_path(file.path)
        with machine_errors(shown):
            try:
                file.require_same(os.stat(file.path))
                return self._cell(file, number, group, row)
            except OSError as error:
                kind = Unreachable if is_passing(error) else Unreadable
                raise kind(f"cannot be read ({reason_of(error)})") from error
            except Unreadable:
                raise
            except DAMAGE as error:
                told = " ".join(str(error).split())[:160]
                raise DataError(f"{shown} is damaged in column `{self.column}` ({told}); save it anew") from error

    def _cell(self, file: StampedFile, number: int, group: int, row: int) -> bytes:
        cursor = self._cursor
        if cursor is None or not cursor.is_before(number, group, row):
            cursor = self._cursor = _Cursor(number, group, self._batches(file, group))
        column, place = cursor.at(row)
        value, path = _parts(column, place)
        if value is not None and value.size > self.most:
            raise Unreadable(f"has {value.size / 1024**2:.0f} MiB, more than a sample can have")
        if value is None and path:
            return read_file(file_beside(Path(os.fsdecode(file.path)), path), self.most)
        return value.to_pybytes() if value is not None else b""

    def _batches(self, file: StampedFile, group: int) -> Iterator[pa.RecordBatch]:
        return ArrowGroups(Path(os.fsdecode(file.path))).group(group, self.column)


class _Cursor:
    """Goes forward through the rows of a group."""

    def __init__(self, file: int, group: int, batches: Iterator[pa.RecordBatch]) -> None:
        self._file, self._group, self._batches = file, group, batches
        self._start, self._column = 0, pa.array([], pa.binary())

    def is_before(self, file: int, group: int, row: int) -> bool:
        return (file, group) == (self._file, self._group) and row >= self._start

    def at(self, row: int) -> tuple[Any, int]:
        """The column of some rows, and the place of this one in it."""
        while row >= self._start + len(self._column):
            batch = next(self._batches, None)
            if batch is None:
                raise ValueError(f"it has no row {row}")
            self._start, self._column = self._start + len(self._column), batch.column(0)
        return self._column, row - self._start


def holds_bytes(kind: pa.DataType) -> bool:
    """Whether cells of a type are bytes, alone or beside a path."""
    if pa.types.is_struct(kind):
        places = [kind.field(index) for index in range(kind.num_fields)]
        return any(place.name == "bytes" and _is_binary(place.type) for place in places)
    return _is_binary(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _parts(column: Any, place: int) -> tuple[Any, bytes]:
    """The buffer of a cell, or None, and the path beside it."""
    if not pa.types.is_struct(column.type):
        return column[place].as_buffer(), b""
    if not column[place].is_valid:
        return None, b""
    names = [column.type.field(index).name for index in range(column.type.num_fields)]
    path = column.field("path")[place].as_buffer() if "path" in names else None
    return column.field("bytes")[place].as_buffer(), b"" if path is None else path.to_pybytes()
