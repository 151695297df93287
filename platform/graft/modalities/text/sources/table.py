"""A table with a text in each row."""

from collections.abc import Sequence
from pathlib import Path

from graft.core.errors import DataError
from graft.data.listing import Listing, Progress
from graft.data.tables.encoding import require_file
from graft.data.tables.labelled import Columns, open_table, read_labelled
from graft.modalities.text.files import InlineText
from graft.spec.modalities.table import TableData


def list_text_table(spec: TableData, progress: Progress | None = None) -> Listing:
    """List the rows of a table of texts.

    Raises:
        DataError: the file cannot be read, lacks a column, or a row has no label.
    """
    rows = read_labelled(spec.path, Columns(spec.text or "", spec.labels, spec.split, spec.encoding))
    if progress is not None:
        progress(len(rows.samples))
    return Listing(
        source=f"texts in {rows.path}",
        ids=rows.ids,
        targets=rows.targets,
        given=rows.given,
        identity=rows.identity,
        sources=rows.samples,
        reader=InlineText(),
        facts={
            "text_column": spec.text,
            "max_characters": spec.max_characters,
            "encoding": spec.encoding,
        },
    )


def read_texts(path: Path, names: Sequence[str], encoding: str) -> list[str | None]:
    """The texts of a table's rows, None where a row has none.

    Args:
        path: of the table.
        names: the first of these columns that is there holds the texts.
        encoding: of the file.

    Raises:
        DataError: it cannot be read, or has none of the columns.
    """
    table = open_table(require_file(path), encoding)
    there = list(table.names)
    column = next((name for name in names if name in there), None)
    if column is None:
        wanted = " or ".join(f"`{name}`" for name in names)
        raise DataError(f"{path} has the columns {', '.join(there) or '(none)'}, but must have one called {wanted}")
    texts, _ = table.read(column, ())
    return [text.decode("utf-8", "replace") if text else None for text in texts]
