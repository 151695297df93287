"""A table with a text in each row."""

import os
from collections.abc import Sequence
from pathlib import Path

from graft.core.errors import DataError
from graft.data.contents.beside import file_beside
from graft.data.contents.made import Made
from graft.data.decoding.versions import version_of
from graft.data.listing import Listing, Progress, SourceTable
from graft.data.overview import Ignored, Tally
from graft.data.tables.labelled import Columns, LabelledRows, read_labelled
from graft.data.tables.labels import text_numbers
from graft.modalities.text.files import InlineText
from graft.spec.modalities.table import TableData

# Whether the first of them are numbers decides nearly always, without a look at all.
_LOOKED_AT = 1000
_LONGEST_PATH = 4096


def list_text_table(spec: TableData, progress: Progress | None = None) -> Listing:
    """List the rows of a table of texts.

    Raises:
        DataError: the file cannot be read, lacks a column, or no row has a label.
    """
    rows = read_labelled(spec.path, Columns.of(spec.text or "", spec), progress)
    _require_texts(spec.text or "", rows)
    if progress is not None:
        progress(len(rows.samples))
    return Listing(
        source=f"texts in {rows.path}",
        ids=rows.ids,
        targets=rows.targets,
        given=rows.given,
        groups=rows.sides.groups,
        times=rows.sides.times,
        weights=rows.sides.weights,
        keys=rows.samples,
        versions=Made(len(rows.samples), lambda row: version_of(rows.samples[row])),
        identity=rows.identity,
        sources=rows.samples,
        unreadable=_unreadable(rows),
        reader=InlineText(),
        table=SourceTable(str(rows.path), spec.encoding, spec.labels[0], spec.used),
        facts={
            "text_column": spec.text,
            "max_characters": spec.max_characters,
            "encoding": spec.encoding,
        },
    )


def _require_texts(column: str, rows: LabelledRows) -> None:
    """They are texts, and not all of them are numbers: a column of ratings named in place of that of reviews.

    Raises:
        DataError: they are not.
    """
    _require_no_files(column, rows)
    if rows.contents is not None:
        raise DataError(f"column `{column}` of {rows.name} holds bytes, but must be text; name another column")
    if _are_numbers(rows.samples[:_LOOKED_AT]) and _are_numbers(rows.samples):
        raise DataError(f"column `{column}` of {rows.name} holds numbers, but must hold texts; name another column")


def _require_no_files(column: str, rows: LabelledRows) -> None:
    """The names of files of texts are no texts.

    Raises:
        DataError: all that are there are names of files beside the table.
    """
    given = [text.strip() for text in rows.samples[:_LOOKED_AT] if text.strip()]
    if not given or not all(len(text) <= _LONGEST_PATH and _is_file(rows.path, text) for text in given):
        return
    first = given[0].decode(errors="replace")
    raise DataError(
        f"column `{column}` of {rows.name} holds the names of files, such as `{first}`, but "
        "must hold the texts themselves; write these into the column, or name it in data.image if they are pictures"
    )


def _is_file(table: Path | str, text: bytes) -> bool:
    return isinstance(table, Path) and os.path.isfile(file_beside(table, text))


def _are_numbers(texts: Sequence[bytes]) -> bool:
    return text_numbers([text.decode("utf-8", "replace") if text else None for text in texts])


def _unreadable(rows: LabelledRows) -> tuple[Ignored, ...]:
    tally, unlabelled = Tally(), set(rows.targets.missing.tolist())
    for row, (name, text) in enumerate(zip(rows.ids, rows.samples, strict=True)):
        if not text.strip() and row not in unlabelled:
            tally.add("row without a text", name)
    return tally.result()
