"""Parquet, Feather and Arrow files a few rows at a time: one row group or record batch after the other, or any of them.

What a file asks for is bounded before it is given: the rows it says it has by its size, a page of Parquet by its
header, and how many rows are unpacked together by the largest value that one of them may point to.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from graft.data.columnar.arrow_layout import BatchPart, parts_of
from graft.data.columnar.parquet_layout import Chunk, RowGroup, pages_of, row_groups
from graft.data.columnar.value_sizes import largest_value
from graft.data.tables.arrow_files import ArrowFile

MOST_CELL_BYTES = 256 * 1024**2
"""No sample is larger: a page of Parquet holds at least one whole value, and is unpacked as a whole."""
MOST_BATCH_BYTES = 2 * 1024**3
"""Of a record batch, which is unpacked as a whole."""
_TOGETHER_BYTES = 64 * 1024**2
_MOST_ROWS = 1024
_ROWS_A_BYTE = 16
_FEW_ROWS = 1_000_000


class ArrowGroups:
    """The row groups of a Parquet file, or the record batches of an Arrow file.

    Every method raises what Arrow raises on damaged files: `pa.ArrowException`, `OSError`, `ValueError`, `KeyError`.

    Args:
        path: of a regular file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = ArrowFile(path)

    @property
    def file(self) -> ArrowFile:
        """Its schema."""
        return self._file

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Of each group.

        Raises:
            ValueError: they are more than a file of this size can hold.
        """
        found = tuple(self._rows())
        most = max(_FEW_ROWS, _ROWS_A_BYTE * self._path.stat().st_size)
        if sum(found) > most:
            raise ValueError(f"it says that it has {sum(found)} rows, more than fit into its bytes")
        return found

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, some at a time; nothing but these columns is read.

        Raises:
            ValueError: a column is of an extension type, or a value is larger than any sample.
        """
        self._file.require_plain(columns)
        if self._file.is_parquet:
            for group in range(len(self.rows)):
                yield from self._row_group(group, columns)
            return
        places, parts = [self._file.schema.names.index(name) for name in columns], self._parts
        if not parts:
            return
        with self._file.opened(pa.ipc.IpcReadOptions(included_fields=sorted(set(places)))) as reader:
            batches = reader if self._file.is_stream else map(reader.get_batch, range(reader.num_record_batches))
            for batch in batches:
                batch.validate(full=True)
                yield from _in_slices(batch.select(list(columns)))

    def group(self, group: int, column: str) -> Iterator[pa.RecordBatch]:
        """The rows of a group, some at a time.

        Raises:
            ValueError: as for `batches`; or a stream holds dictionaries, which only make sense from its beginning.
        """
        self._file.require_plain([column])
        if self._file.is_parquet:
            yield from self._row_group(group, [column])
            return
        batch = self._record_batch(group).select([column])
        batch.validate(full=True)
        yield batch

    def _rows(self) -> Iterator[int]:
        if self._file.is_parquet:
            yield from (group.num_rows for group in self._layout)
        else:
            yield from (part.num_rows for part in self._parts if not part.is_dictionary)

    def _row_group(self, group: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        together = self._rows_together(self._layout[group].chunks, columns)
        with self._file.opened() as reader:
            for batch in reader.iter_batches(together, row_groups=[group], columns=list(columns), use_threads=False):
                batch.validate(full=True)
                yield batch.select(list(columns))

    def _rows_together(self, chunks: Sequence[Chunk], columns: Sequence[str]) -> int:
        """As many as stay small, even if each of them is the largest value of a dictionary."""
        largest = 1
        with self._path.open("rb") as stream:
            for chunk in chunks:
                for page in pages_of(stream, chunk) if chunk.column in columns else ():
                    if page.unpacked > MOST_CELL_BYTES:
                        raise ValueError(
                            f"column {chunk.column} has {page.unpacked >> 20} MiB in one piece, more than any sample"
                        )
                    largest = max(largest, page.unpacked if page.is_dictionary else 1)
        return _few(largest)

    @cached_property
    def _layout(self) -> tuple[RowGroup, ...]:
        return row_groups(self._file.footer())

    def _record_batch(self, group: int) -> pa.RecordBatch:
        parts = self._parts
        if not self._file.is_stream:
            with self._file.opened() as reader:
                return reader.get_batch(group)
        if any(part.is_dictionary for part in parts):
            raise ValueError("it holds values by their number in a dictionary; save it with plain columns")
        # What is read from a stream stays where it lies on the disk: nothing is copied.
        with pa.memory_map(str(self._path)) as source:
            source.seek(parts[group].start)
            return pa.ipc.read_record_batch(pa.ipc.read_message(source), self._file.schema)

    @cached_property
    def _parts(self) -> tuple[BatchPart, ...]:
        """Record batches and dictionaries of an Arrow file, none of which becomes too large.

        Raises:
            ValueError: one does.
        """
        found = tuple(parts_of(self._path, is_stream=self._file.is_stream))
        largest = max((part.unpacked for part in found), default=0)
        if largest > MOST_BATCH_BYTES:
            raise ValueError(f"a record batch of it unpacks to {largest >> 20} MiB; save it with fewer rows in each")
        return found


def _in_slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The same rows, so many at a time that they stay small when they are unpacked."""
    together = _few(max((largest_value(column) for column in batch.columns), default=1))
    for start in range(0, batch.num_rows, together):
        yield batch.slice(start, together)


def _few(largest: int) -> int:
    """How many rows are unpacked together of which each may be so many bytes."""
    return min(max(_TOGETHER_BYTES // largest, 1), _MOST_ROWS)
