"""Columns of a table that name the images in a folder beside it, as `0a1b` does for `train/0a1b.jpg`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graft.data.contents.named_files import NamedFiles
from graft.data.tables.column_facts import ColumnFacts
from graft.data.tables.rows import Table
from graft.modalities.image.file_names import IMAGE_FILES


class NamedPictures:
    """The images that lie near a table.

    Args:
        path: of the table.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = NamedFiles(path, IMAGE_FILES.includes)

    def found_in(
        self, table: Table, columns: Sequence[ColumnFacts], values: Mapping[str, Sequence[Any]]
    ) -> tuple[ColumnFacts, Sequence[str]] | None:
        """The first column that names them, with its cells; None where a column has paths already, or none names them.

        Raises:
            DataError: they may be those of several folders.
        """
        if any(one.files >= 0.5 for one in columns) or not self._files.are_any():
            return None
        for column in columns:
            for cells in _cells(table, column, values):
                if self._files.folder(cells) is not None:
                    texts = [cell.decode("utf-8", "surrogateescape") for cell in cells]
                    return replace(column, form="words", files=1.0, consecutive=False), texts
        return None

    def paths(self, texts: Sequence[str]) -> list[Path]:
        """The files that cells name."""
        return [Path(os.fsdecode(path)) for path in self._files.paths([os.fsencode(text) for text in texts])]

    def told(self, column: str, texts: Sequence[str]) -> str:
        """Where they are, in a sentence; empty where the cells are paths."""
        folder = self._files.folder([os.fsencode(text) for text in texts])
        if folder is None:
            return ""
        where = os.path.relpath(folder.path, self._path.parent)
        return f"`{column}` has the names of files in `{where}`."


def _cells(table: Table, column: ColumnFacts, values: Mapping[str, Sequence[Any]]) -> Iterator[Sequence[bytes]]:
    """A column as the table writes it, if it tells samples apart."""
    if 2 * column.distinct <= column.present:
        return
    if column.form == "words" and column.name in values:
        yield [os.fsencode(str(value)) if value else b"" for value in values[column.name]]
    elif column.form == "numbers" and column.whole:
        yield table.read(column.name, ())[0]
