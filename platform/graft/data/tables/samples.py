"""The cells of a table that hold samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import DataError
from graft.core.unicode_form import spelled_like
from graft.data.contents.parts import Contents
from graft.data.tables.encoding import require_file
from graft.data.tables.labelled import open_table
from graft.data.tables.rows import shown_columns


@dataclass(frozen=True)
class SampleColumn:
    """A column of samples.

    Attributes:
        name: of it, as it was asked for.
        cells: texts as UTF-8, empty where there is none; or places, if there are `contents`.
        contents: what reads the cells, if they are files.
    """

    name: str
    cells: Sequence[bytes]
    contents: Contents | None


def read_column(path: Path, names: Sequence[str], encoding: str) -> SampleColumn:
    """The column of a table's samples.

    Args:
        path: of the table.
        names: the first of these columns that is there holds the samples.
        encoding: of the file.

    Raises:
        DataError: it cannot be read, has none of the columns, or no rows.
    """
    table = open_table(require_file(path), encoding)
    there = list(table.names)
    column = next((name for name in names if spelled_like(name, there)), None)
    if column is None:
        wanted = " or ".join(f"`{name}`" for name in names)
        raise DataError(f"{path} has the columns {shown_columns(there)}, but must have one called {wanted}")
    contents = table.contents(column)
    cells = table.read(column, ())[0]
    if not len(cells):
        raise DataError(f"{path} holds no rows, but must hold some beside its header")
    return SampleColumn(column, cells, contents)


def read_samples(path: Path, names: Sequence[str], encoding: str) -> list[str | None]:
    """The texts of a table's samples, None where a row has none.

    Args:
        path: of the table.
        names: the first of these columns that is there holds the samples.
        encoding: of the file.

    Raises:
        DataError: it cannot be read, or has none of the columns, or the column holds bytes.
    """
    found = read_column(path, names, encoding)
    if found.contents is not None:
        raise DataError(f"column `{found.name}` of {path.name} holds bytes, but must be text; name another column")
    return [cell.decode("utf-8", "replace") if cell else None for cell in found.cells]
