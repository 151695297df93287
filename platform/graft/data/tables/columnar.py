"""Tables in Arrow's own form: Parquet, Feather, IPC. Only plain types are converted."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from graft.core.errors import DataError
from graft.data.tables.rows import ArrowTexts, require_columns

_EXTENSION = b"ARROW:extension:name"


class ColumnarTable:
    """A Parquet, Feather or Arrow file.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_parquet = path.suffix.lower() in (".parquet", ".pq")

    @cached_property
    def schema(self) -> pa.Schema:
        """As the file has it; nothing is converted."""
        return self._guarded(lambda: parquet.read_schema(self._path) if self._is_parquet else self._ipc_schema())

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return list(self.schema.names)

    def read(self, text: str, others: Sequence[str]) -> tuple[Sequence[bytes], dict[str, list[Any]]]:
        """Texts and values."""
        wanted = list(dict.fromkeys([text, *others]))
        require_columns(self._path, self.names, wanted)
        for name in wanted:
            self._check_plain(self.schema.field(name), name)
        if not _is_string(_value_type(self.schema.field(text).type)):
            raise DataError(
                f"column `{text}` of {self._path.name} is {self.schema.field(text).type}, but must be text; name "
                "another column"
            )
        table = self._guarded(lambda: self._table(wanted))
        for name in wanted:
            self._guarded(partial(table[name].validate, full=True))
        return ArrowTexts(_decoded(table[text])), {name: self._values(table[name], name) for name in others}

    def _values(self, column: pa.ChunkedArray, name: str) -> list[Any]:
        kind = _value_type(column.type)
        member = kind.value_type if _is_list(kind) else kind
        plain = _is_string(member) or pa.types.is_null(member) or pa.types.is_boolean(member)
        if pa.types.is_decimal(member) and not _is_list(kind):
            column = column.cast(pa.float64())
        elif not (plain or pa.types.is_integer(member) or pa.types.is_floating(member)):
            rule = "but must be numbers, texts, or lists of texts; name another column"
            raise DataError(f"column `{name}` of {self._path.name} is {column.type}, {rule}")
        values: list[Any] = _decoded(column).to_pylist()
        return values

    def _check_plain(self, field: pa.Field, name: str) -> None:
        """Refuse types that bring code of their own to convert them.

        Raises:
            DataError: the field, or one inside it, is of such a type.
        """
        kind = field.type
        if isinstance(kind, pa.BaseExtensionType) or _EXTENSION in (field.metadata or {}):
            raise DataError(
                f"column `{name}` of {self._path.name} is of the extension type {kind}, but must be a plain one; save "
                "it as numbers, texts, or lists of texts"
            )
        for index in range(kind.num_fields):
            self._check_plain(kind.field(index), name)
        if pa.types.is_dictionary(kind):
            self._check_plain(pa.field("values", kind.value_type), name)

    def _table(self, columns: list[str]) -> pa.Table:
        if self._is_parquet:
            return parquet.ParquetFile(self._path, memory_map=False).read(columns=columns)
        with pa.memory_map(str(self._path)) as source:
            return self._opened(source).read_all().select(columns)

    def _ipc_schema(self) -> pa.Schema:
        with pa.memory_map(str(self._path)) as source:
            return self._opened(source).schema

    def _opened(self, source: Any) -> Any:
        if source.read(6) == b"ARROW1":
            source.seek(0)
            return pa.ipc.open_file(source)
        source.seek(0)
        return pa.ipc.open_stream(source)

    def _guarded(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            told = " ".join(str(error).split())[:160]
            raise DataError(
                f"{self._path} is damaged or of another form than its name says ({told}); save it anew"
            ) from error


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
