"""Tables in Arrow's own form: Parquet, Feather, IPC. Only named columns of plain types are read."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.data.columnar.cells import CellSources, ColumnCells, holds_bytes
from graft.data.columnar.groups import ArrowGroups
from graft.data.columnar.value_sizes import is_list, largest_value, longest_list
from graft.data.contents.coded import Coded
from graft.data.contents.parts import Contents, StampedFile
from graft.data.contents.spool import Spool
from graft.data.tables.labels import MOST_LABEL_BYTES, MOST_MEMBERS
from graft.data.tables.rows import append_samples, column_named, require_columns

_ASKED = re.compile(r"of size (\d+)")
_MOST_EXPANSION = 4096
"""No compression makes more of a byte."""
_MOST_REPEATS, _FEW_BYTES = 64, 1 << 30


class ColumnarTable:
    """A Parquet, Feather or Arrow file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._groups = ArrowGroups(path)
        self._file = self._groups.file

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        names: list[str] = self._guarded(lambda: list(self._file.schema.names))
        return names

    def read(self, sample: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, Coded]]:
        """Samples and values."""
        require_columns(self._path, self.names, [sample, *others])
        there = {name: column_named(name, self.names) for name in (sample, *others)}
        wanted = list(dict.fromkeys(there.values()))
        for name in wanted:
            self._check_plain(name)
        kind = self._file.schema.field(there[sample]).type
        is_bytes = holds_bytes(kind)
        if not (is_bytes or _is_string(_value_type(kind))):
            raise DataError(f"column `{sample}` of {self._path.name} is {kind}, but must be text; name another column")
        wanted = list(dict.fromkeys([there[name] for name in others] + [there[sample]] * (not is_bytes)))
        samples, values = Spool(), {name: Coded() for name in others}
        for batch in self._batches(wanted) if wanted else ():
            for name in others:
                values[name].extend(self._values(batch[there[name]], name))
            if not is_bytes:
                self._collect(samples, batch[there[sample]], sample)
        places = CellSources([self._guarded(lambda: self._groups.rows)]) if is_bytes else samples
        return places, values

    def contents(self, sample: str) -> Contents | None:
        """What reads the cells of a column of bytes."""
        require_columns(self._path, self.names, [sample])
        name = column_named(sample, self.names)
        if name in self._guarded(lambda: self._file.extensions) or not holds_bytes(self._file.schema.field(name).type):
            return None  # what is read of an extension type, `read` refuses
        return ColumnCells((StampedFile.of(self._path),), name)

    def _collect(self, samples: Spool, column: pa.Array, name: str) -> None:
        append_samples(samples, _decoded(column), f"column `{name}` of {self._path.name}")
        if samples.num_bytes > max(_FEW_BYTES, _MOST_REPEATS * self._path.stat().st_size):
            raise DataError(
                f"column `{name}` of {self._path.name} unpacks to more than {samples.num_bytes >> 20} MiB, which no "
                "samples of a file of its size do; is it damaged?"
            )

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        batches = self._groups.batches(columns)
        while (batch := self._guarded(lambda: next(batches, None))) is not None:
            yield batch

    def _values(self, column: pa.Array, name: str) -> list[Any]:
        kind = _value_type(column.type)
        member = kind.value_type if is_list(kind) else kind
        if pa.types.is_temporal(kind) and not (pa.types.is_time(kind) or pa.types.is_duration(kind)):
            moments: list[Any] = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).to_pylist()
            return moments
        self._check_short(column, name)
        plain = _is_string(member) or pa.types.is_null(member) or pa.types.is_boolean(member)
        if pa.types.is_decimal(member) and not is_list(kind):
            column = column.cast(pa.float64())
        elif not (plain or pa.types.is_integer(member) or pa.types.is_floating(member)):
            rule = "but must be numbers, texts, or lists of texts; name another column"
            raise DataError(f"column `{name}` of {self._path.name} is {column.type}, {rule}")
        values: list[Any] = _decoded(column).to_pylist()
        return values

    def _check_short(self, column: pa.Array, name: str) -> None:
        """Refuse cells that are too large for what stands beside a sample, before they are unpacked row by row.

        Raises:
            DataError: a text, or a list, is.
        """
        kind = _value_type(column.type)
        told = f"column `{name}` of {self._path.name} has a"
        if is_list(kind) and (most := longest_list(column)) > MOST_MEMBERS:
            raise DataError(
                f"{told} list of {most} values, but may have {MOST_MEMBERS} in each; name a column of labels"
            )
        size = largest_value(column.flatten() if is_list(kind) else column)
        if size > MOST_LABEL_BYTES:
            raise DataError(
                f"{told} value of {size} bytes, but may have {MOST_LABEL_BYTES} in each; name a column of labels"
            )

    def _check_plain(self, name: str) -> None:
        """Refuse types that bring code of their own to convert them.

        Raises:
            DataError: the column, or one inside it, is of such a type.
        """
        kind = self._guarded(lambda: self._file.extensions).get(name)
        if kind is not None:
            raise DataError(
                f"column `{name}` of {self._path.name} is of the extension type {kind}, but must be a plain one; save "
                "it as numbers, texts, or lists of texts"
            )

    def _guarded(self, step: Callable[[], Any]) -> Any:
        try:
            with machine_errors(self._path), self._lies_are_damage():
                return step()
        except (pa.ArrowException, OSError, ValueError, KeyError, RecursionError) as error:
            told = " ".join(str(error).split())[:160]
            raise DataError(
                f"{self._path} is damaged or of another form than its name says ({told}); save it anew"
            ) from error

    @contextlib.contextmanager
    def _lies_are_damage(self) -> Iterator[None]:
        """A few bytes that promise terabytes are no want of memory."""
        try:
            yield
        except pa.ArrowMemoryError as error:
            asked = _ASKED.search(str(error))
            if asked and int(asked.group(1)) > _MOST_EXPANSION * max(self._path.stat().st_size, 1 << 20):
                raise ValueError(f"a column says that it has {asked.group(1)} bytes") from error
            raise


def _decoded(column: pa.Array) -> pa.Array:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
