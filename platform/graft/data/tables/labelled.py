"""A table with a row for each sample: CSV, TSV, JSONL, Parquet, Feather or Arrow, told by its suffix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePath

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.contents.coded import Coded
from graft.data.contents.made import Made
from graft.data.contents.parts import Contents
from graft.data.overview import Progress
from graft.data.remote.here import file_here
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import split_of
from graft.data.tables.columnar import ColumnarTable
from graft.data.tables.delimited import DELIMITERS, DelimitedTable
from graft.data.tables.encoding import require_file
from graft.data.tables.json_lines import JsonLines
from graft.data.tables.labels import Place, label_name, raw_targets
from graft.data.tables.rows import Table
from graft.data.tables.side_columns import Sides, sides_of
from graft.data.targets import RawTargets
from graft.spec.modalities.table import TableData

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
        sides: of `group`, `time` and `weight`, as far as they are named.
    """

    sample: str
    labels: tuple[str, ...]
    split: str | None = None
    encoding: str = "utf-8"
    sides: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, sample: str, spec: TableData) -> "Columns":
        """Those that a job names."""
        return cls(sample, spec.labels, spec.split, spec.encoding, spec.sides)

    @property
    def names(self) -> list[str]:
        """All of them."""
        return [self.sample, *self.labels, *([self.split] if self.split else []), *self.sides.values()]


@dataclass(frozen=True)
class LabelledRows:
    """The rows of a table.

    Attributes:
        path: of the table, as the job has it.
        ids: such as ``reviews.csv:12``; of those without a label, too.
        samples: the cell of each sample as UTF-8, empty where there is none; or its place, if there are `contents`.
        targets: what the labels say.
        given: uint8 [N], the split that a row says, or `UNASSIGNED`.
        identity: digest of path, size, time of change and columns.
        sides: groups, times and weights.
        contents: what reads the samples, if they are files in a column.
    """

    path: Path | str
    ids: Sequence[str]
    samples: Sequence[bytes]
    targets: RawTargets
    given: np.ndarray
    identity: str
    sides: Sides = field(default_factory=Sides)
    contents: Contents | None = None

    @property
    def name(self) -> str:
        """Of the table's file."""
        return PurePath(self.path).name


def read_labelled(path: Path | str, columns: Columns, progress: Progress | None = None) -> LabelledRows:
    """Read the rows of a table.

    Args:
        path: of the table, or its address.
        columns: that are read.
        progress: told now and then that a copy from a store goes on.

    Raises:
        DataError: the file cannot be read, lacks a column, or no row has a label.
        ResourceError: the store it lies in cannot be used.
    """
    _check_differ([name for name in columns.names if name != columns.sides.get("time")])  # a label may be a time
    with file_here(path, progress) as here:
        rows = _rows_of(here.path, columns)
    if not here.stamp:
        return rows
    identity = text_digest(canonical_json([path, here.stamp, columns.names, columns.encoding]))
    return replace(rows, path=path, identity=identity)


def _rows_of(path: Path, columns: Columns) -> LabelledRows:
    path = require_file(path)
    table = open_table(path, columns.encoding)
    contents = table.contents(columns.sample)
    samples, values = table.read(columns.sample, columns.names[1:])
    if not len(samples):
        raise DataError(f"{path} holds no rows, but must hold some beside its header")
    _check_header_again(path, columns, samples, values)
    return LabelledRows(
        path=path,
        ids=Made(len(samples), partial(_name_of_row, path.name)),
        samples=samples,
        targets=raw_targets([(Place(path.name, name), values[name]) for name in columns.labels]),
        given=_given(path, columns.split, values, len(samples)),
        identity=_identity(path, columns),
        sides=sides_of(path.name, columns.sides, values),
        contents=contents,
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


def _name_of_row(table: str, row: int) -> str:
    return f"{table}:{row + 1}"


def _check_differ(named: Sequence[str]) -> None:
    twice = next((name for index, name in enumerate(named) if name in named[:index]), None)
    if twice is not None:
        raise DataError(
            f"column `{twice}` is named twice in data, but samples, labels, split, group and weight must be "
            "different columns; name another"
        )


def _check_header_again(path: Path, columns: Columns, samples: Sequence[bytes], values: Mapping[str, Coded]) -> None:
    """Tables that were put one behind the other have the names of their columns between them."""
    if path.suffix.lower() not in DELIMITERS:
        return
    label, sample = columns.labels[0], columns.sample.strip().encode()
    found = values[label].rows(lambda cell: isinstance(cell, str) and cell.strip() == label.strip())
    again = [row for row in found.tolist() if samples[row].strip() == sample]
    if again:
        more = f" and {len(again) - 1} more" if len(again) > 1 else ""
        raise DataError(
            f"{path.name} holds the names of its columns again in row {again[0] + 1}{more}, but must hold them in its "
            "first line alone; remove these rows"
        )


def _given(path: Path, column: str | None, values: Mapping[str, Coded], count: int) -> np.ndarray:
    if column is None:
        return np.full(count, UNASSIGNED, dtype=np.uint8)
    codes, found = [], values[column]
    for first, value in zip(found.firsts, found.different, strict=True):
        split = split_of(str(value))
        if split is None:
            shown = "empty" if value is None else f"`{label_name(value)[:40]}`"
            raise DataError(
                f"column `{column}` of {path.name} is {shown} in row {first + 1}, but must be train, validation or "
                "test in every row; correct it, or leave data.split out"
            )
        codes.append(code_of(split))
    return found.taken(codes, np.uint8)


def _identity(path: Path, columns: Columns) -> str:
    found = path.stat()
    return text_digest(canonical_json([str(path), found.st_size, found.st_mtime_ns, columns.names, columns.encoding]))
