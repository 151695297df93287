"""A file of results as columns of text or numbers: Parquet, or CSV, told by its suffix."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from graft.core.errors import DataError, Problem, SpecError
from graft.core.private_files import open_regular
from graft.core.uris import is_there
from graft.data.tables.encoding import check_encoding, foreign_form, wide_encoding_of
from graft.meta.memory.import_cells import Cells
from graft.meta.memory.schema import VERSION, VERSION_KEY

SUFFIXES = (".parquet", ".csv")
MOST_ROWS = 500_000
"""Of a file: more are no results of training, and would be held in memory at once."""
_MOST_HEADER = 1 << 16


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
    if path.is_dir():
        raise _wrong(path, "is a directory, but must be a file; name one in it")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise _wrong(path, f"ends in `{suffix}`, but must be one of {', '.join(SUFFIXES)}; convert it")
    try:
        with open(open_regular(path), "rb") as stream:
            table = _read(path, stream)
    except OSError as error:
        raise _wrong(path, f"cannot be read ({error.strerror or error}); name a file of results") from error
    except (pa.ArrowException, ValueError) as error:
        raise _wrong(path, f"cannot be read ({' '.join(str(error).split())[:150]}); write it again") from error
    if twice := [name for name in table.column_names if table.column_names.count(name) > 1]:
        raise _wrong(path, f"has {len(twice)} columns `{twice[0][:60]}`, but must have one; rename the others")
    version = (table.schema.metadata or {}).get(VERSION_KEY)
    if version is not None and version != str(VERSION).encode():
        told = version.decode("ascii", "replace")
        raise _wrong(path, f"has schema version {told}, but this graft reads {VERSION}; use the graft that wrote it")
    return Columns(path, table)


def _read(path: Path, stream: BinaryIO) -> pa.Table:
    """The table in a file, if a memory can take in so many rows.

    Raises:
        SpecError: it is too large, or text in another encoding.
        ArrowException: it is damaged.
    """
    if path.suffix.lower() == ".parquet":
        _require_few(path, pq.read_metadata(stream).num_rows)
        stream.seek(0)
        return pq.read_table(stream)
    if told := foreign_form(stream.read(16)):
        raise _wrong(path, told)
    stream.seek(0)
    if encoding := wide_encoding_of(path):
        raise _wrong(path, f"is {encoding.upper()} text, but must be UTF-8; save it as that")
    _require_few(path, sum(chunk.count(b"\n") for chunk in iter(lambda: stream.read(1 << 20), b"")))
    try:
        check_encoding(path, "utf-8")
    except DataError as error:
        told = str(error).partition(";")[0].removeprefix(str(path)).lstrip(", ")
        raise _wrong(path, f"{told}; save it as UTF-8") from error
    stream.seek(0)
    _require_commas(path, stream.readline(_MOST_HEADER).decode("utf-8", "replace"))
    stream.seek(0)
    header = csv.read_csv(stream, read_options=csv.ReadOptions(block_size=1 << 22)).column_names
    stream.seek(0)
    types = dict.fromkeys(header, pa.string())
    newlines = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(stream, parse_options=newlines, convert_options=csv.ConvertOptions(column_types=types))
    if not table.num_rows:
        raise _wrong(path, "holds no rows, but must hold some beside its header; add them")
    return table.rename_columns([name.strip() for name in header])


def _require_commas(path: Path, header: str) -> None:
    """Check that what is one column is not several with another mark between them: cells may hold commas then."""
    mark = next((one for one in ";\t|" if one in header), None)
    if mark is not None and "," not in header:
        shown = "tabs" if mark == "\t" else f"`{mark}`"
        raise _wrong(path, f"has {shown} between its columns, but must have commas; save it so")


def _require_few(path: Path, rows: int) -> None:
    if rows > MOST_ROWS:
        raise _wrong(path, f"has {rows:,} rows, but at most {MOST_ROWS:,} are taken in at once; import it in parts")


def _wrong(path: Path, message: str) -> SpecError:
    return SpecError([Problem("", message, str(path))])
