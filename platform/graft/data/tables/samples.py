"""The cells of a table that hold samples."""

from collections.abc import Sequence
from pathlib import Path

from graft.core.errors import DataError
from graft.core.unicode_form import spelled_like
from graft.data.tables.encoding import require_file
from graft.data.tables.labelled import open_table
from graft.data.tables.rows import shown_columns


def read_samples(path: Path, names: Sequence[str], encoding: str) -> list[str | None]:
    """The cells of a table's samples, None where a row has none.

    Args:
        path: of the table.
        names: the first of these columns that is there holds the samples.
        encoding: of the file.

    Raises:
        DataError: it cannot be read, or has none of the columns.
    """
    table = open_table(require_file(path), encoding)
    there = list(table.names)
    column = next((name for name in names if spelled_like(name, there)), None)
    if column is None:
        wanted = " or ".join(f"`{name}`" for name in names)
        raise DataError(f"{path} has the columns {shown_columns(there)}, but must have one called {wanted}")
    cells, _ = table.read(column, ())
    return [cell.decode("utf-8", "replace") if cell else None for cell in cells]
