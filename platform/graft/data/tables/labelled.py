"""A table with a row for each sample: CSV, TSV, JSONL, Parquet, Feather or Arrow, told by its suffix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import split_of
from graft.data.tables.columnar import ColumnarTable
from graft.data.tables.delimited import DELIMITERS, DelimitedTable
from graft.data.tables.encoding import require_file
from graft.data.tables.json_lines import JsonLines
from graft.data.tables.labels import Place, raw_targets
from graft.data.tables.rows import Table
from graft.data.targets import RawTargets

_READERS: Mapping[str, Callable[[Path, str], Table]] = {
    **dict.fromkeys(DELIMITERS, DelimitedTable),
    **dict.fromkeys((".jsonl", ".ndjson"), JsonLines),
    **dict.fromkeys((".parquet", ".pq", ".feather", ".arrow"), lambda path, _: ColumnarTable(path)),
}
SUFFIXES = tuple(_READERS)
"""Of the tables that can be read."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are read.

    Attributes:
        sample: of what identifies a sample: its text, or the path of its file.
        labels: of the labels.
        split: of what a row is for, if there is one.
        encoding: of the file, where it is one of text.
    """

    sample: str
    labels: tuple[str, ...]
    split: str | None = None
    encoding: str = "utf-8"

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [self.sample, *self.labels, *([self.split] if self.split else [])]


@dataclass(frozen=True)
class LabelledRows:
    """The rows of a table.

    Attributes:
        path: of the table, checked.
        ids: such as ``reviews.csv:12``.
        samples: the cell of each sample as UTF-8, empty where there is none.
        targets: what the labels say.
        given: uint8 [N], the split that a row says, or `UNASSIGNED`.
        identity: digest of path, size, time of change and columns.
    """

    path: Path
    ids: tuple[str, ...]
    samples: Sequence[bytes]
    targets: RawTargets
    given: np.ndarray
    identity: str


def read_labelled(path: Path, columns: Columns) -> LabelledRows:
    """Read the rows of a table.

    Raises:
        DataError: the file cannot be read, lacks a column, or a row has no label.
    """
    path = require_file(path)
    _check_differ(columns.names)
    samples, values = open_table(path, columns.encoding).read(columns.sample, columns.names[1:])
    if not len(samples):
        raise DataError(f"{path} holds no rows, but must hold some beside its header")
    return LabelledRows(
        path=path,
        ids=tuple(f"{path.name}:{row}" for row in range(1, len(samples) + 1)),
        samples=samples,
        targets=raw_targets([(Place(path.name, name), values[name]) for name in columns.labels]),
        given=_given(path, columns.split, values, len(samples)),
        identity=_identity(path, columns),
    )


def open_table(path: Path, encoding: str) -> Table:
    """The table in a file, by its suffix.

    Raises:
        DataError: the suffix is of no table, or the file is not text of this encoding.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        found = f"ends in `{path.suffix}`" if path.suffix else "has no suffix"
        raise DataError(f"{path} {found}, but must end in one of {', '.join(SUFFIXES)}; save the table as one of them")
    return reader(path, encoding)


def _check_differ(named: Sequence[str]) -> None:
    twice = next((name for index, name in enumerate(named) if name in named[:index]), None)
    if twice is not None:
        raise DataError(
            f"column `{twice}` is named twice in data, but samples, labels and split must be different columns; "
            "name another"
        )


def _given(path: Path, column: str | None, values: Mapping[str, Sequence[Any]], count: int) -> np.ndarray:
    codes = np.full(count, UNASSIGNED, dtype=np.uint8)
    if column is None:
        return codes
    for index, value in enumerate(values[column]):
        split = split_of(str(value))
        if split is None:
            found = "empty" if value is None else f"`{str(value)[:40]}`"
            raise DataError(
                f"column `{column}` of {path.name} is {found} in row {index + 1}, but must be train, validation or "
                "test in every row; correct it, or leave data.split out"
            )
        codes[index] = code_of(split)
    return codes


def _identity(path: Path, columns: Columns) -> str:
    found = path.stat()
    return text_digest(canonical_json([str(path), found.st_size, found.st_mtime_ns, columns.names, columns.encoding]))
