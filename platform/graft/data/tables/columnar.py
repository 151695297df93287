"""Tables in Arrow's own form: Parquet, Feather, IPC. Only named columns of plain types are read."""

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.data.tables.arrow_files import ArrowFile
from graft.data.tables.rows import ArrowTexts, column_named, require_columns

_ASKED = re.compile(r"of size (\d+)")
_MOST_EXPANSION = 4096
"""No compression makes more of a byte."""


class ColumnarTable:
    """A Parquet, Feather or Arrow file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = ArrowFile(path)

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        names: list[str] = self._guarded(lambda: list(self._file.schema.names))
        return names

    def read(self, sample: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, list[Any]]]:
        """Samples and values."""
        require_columns(self._path, self.names, [sample, *others])
        there = {name: column_named(name, self.names) for name in (sample, *others)}
        wanted = list(dict.fromkeys(there.values()))
        for name in wanted:
            self._check_plain(name)
        kind = self._file.schema.field(there[sample]).type
        if not _is_string(_value_type(kind)):
            raise DataError(f"column `{sample}` of {self._path.name} is {kind}, but must be text; name another column")
        table = self._guarded(lambda: self._file.table(wanted))
        for name in wanted:
            self._guarded(partial(table[name].validate, full=True))
        values = {name: self._values(table[there[name]], name) for name in others}
        return ArrowTexts(_decoded(table[there[sample]])), values

    def _values(self, column: pa.ChunkedArray, name: str) -> list[Any]:
        kind = _value_type(column.type)
        member = kind.value_type if _is_list(kind) else kind
        if pa.types.is_temporal(kind) and not (pa.types.is_time(kind) or pa.types.is_duration(kind)):
            moments: list[Any] = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False).to_pylist()
            return moments
        plain = _is_string(member) or pa.types.is_null(member) or pa.types.is_boolean(member)
        if pa.types.is_decimal(member) and not _is_list(kind):
            column = column.cast(pa.float64())
        elif not (plain or pa.types.is_integer(member) or pa.types.is_floating(member)):
            rule = "but must be numbers, texts, or lists of texts; name another column"
            raise DataError(f"column `{name}` of {self._path.name} is {column.type}, {rule}")
        values: list[Any] = _decoded(column).to_pylist()
        return values

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


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
