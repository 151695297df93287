"""A file of results as columns of text or numbers: Parquet, or CSV, told by its suffix."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from graft.core.errors import Problem, SpecError
from graft.core.uris import is_there
from graft.meta.memory.import_cells import Cells
from graft.meta.memory.schema import VERSION, VERSION_KEY

SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True)
class Columns:
    """A file, read.

    Attributes:
        path: its own.
        table: as it is in the file; of CSV, texts.
    """

    path: Path
    table: pa.Table

    @property
    def names(self) -> list[str]:
        """Its columns."""
        return list(self.table.column_names)

    def rows(self) -> Iterator[Cells]:
        """Its rows, counted as people count the lines of a CSV with a header, from 2."""
        first, names = (2, "line") if self.path.suffix.lower() == ".csv" else (1, "row")
        columns = [(name, self.table.column(name).to_pylist()) for name in self.names]
        for place in range(self.table.num_rows):
            yield Cells(self.path, f"{names} {first + place}", {name: values[place] for name, values in columns})


def read_columns(path: Path) -> Columns:
    """Read a file of results.

    Raises:
        SpecError: it is missing, is neither Parquet nor CSV, or is of another schema version.
    """
    if not is_there(path):
        raise _wrong(path, "is not there; name another file")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _wrong(path, f"ends in `{suffix}`, but must be one of {', '.join(SUFFIXES)}; convert it")
    try:
        table = pq.read_table(path) if suffix == ".parquet" else _read_csv(path)
    except (OSError, pa.ArrowException, ValueError) as error:
        raise _wrong(path, f"cannot be read ({' '.join(str(error).split())[:150]}); write it again") from error
    if len(set(table.column_names)) < len(table.column_names):
        raise _wrong(path, "has two columns of one name; rename one")
    version = (table.schema.metadata or {}).get(VERSION_KEY)
    if version is not None and version != str(VERSION).encode():
        told = version.decode("ascii", "replace")
        raise _wrong(path, f"has schema version {told}, but this graft reads {VERSION}; use the graft that wrote it")
    return Columns(path, table)


def _read_csv(path: Path) -> pa.Table:
    with path.open("rb") as stream:
        header = csv.read_csv(stream, read_options=csv.ReadOptions(block_size=1 << 22)).column_names
    types = dict.fromkeys(header, pa.string())
    newlines = csv.ParseOptions(newlines_in_values=True)
    return csv.read_csv(path, parse_options=newlines, convert_options=csv.ConvertOptions(column_types=types))


def _wrong(path: Path, message: str) -> SpecError:
    return SpecError([Problem("", message, str(path))])
