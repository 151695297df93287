"""A table with an image in each row: its path, which starts at the directory of the table, or its bytes."""

import os
from collections.abc import Sequence

from graft.core.credentials import redact
from graft.core.storage import canonical_json, text_digest
from graft.data.contents.beside import reason_unreadable, stamps_of
from graft.data.contents.made import Made
from graft.data.contents.named_files import NamedFiles
from graft.data.contents.parts import Contents
from graft.data.decoding.versions import version_of
from graft.data.folders.paths import printable
from graft.data.listing import Listing, Progress, SourceTable
from graft.data.overview import Ignored, Tally
from graft.data.tables.labelled import Columns, LabelledRows, read_labelled
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.image.read import EncodedReader, FileReader
from graft.modalities.image.sources.cells import Base64Contents, are_base64
from graft.spec.modalities.table import TableData


def list_image_table(spec: TableData, progress: Progress | None = None) -> Listing:
    """List the rows of a table of images. A file that is not there is left to the decoder, which will name it.

    Raises:
        DataError: the table cannot be read, lacks a column, or no row has a label.
    """
    rows = read_labelled(spec.path, Columns.of(spec.image or "", spec), progress)
    contents = rows.contents or (Base64Contents() if are_base64(rows.samples) else None)
    listing = _of_files(spec, rows) if contents is None else _of_cells(spec, rows, contents)
    if progress is not None:
        progress(len(listing))
    return listing


def _of_files(spec: TableData, rows: LabelledRows) -> Listing:
    """The table names files."""
    # A row without a path stays without one: a directory is no image either, but its name would mislead.
    paths = NamedFiles(rows.path, IMAGE_FILES.includes, spec.directory).paths(rows.samples)
    files = [(printable(os.fsdecode(path)), *stamp) for path, stamp in zip(paths, stamps_of(paths), strict=True)]
    return Listing(
        source=f"images in {rows.path}",
        ids=rows.ids,
        targets=rows.targets,
        given=rows.given,
        groups=rows.sides.groups,
        times=rows.sides.times,
        weights=rows.sides.weights,
        keys=rows.samples,
        versions=[version_of(*file) for file in files],
        identity=text_digest(canonical_json([rows.identity, files])),
        sources=paths,
        reader=FileReader(spec.max_pixels),
        table=SourceTable(str(rows.path), spec.encoding, spec.labels[0], spec.used),
        facts={"max_pixels": spec.max_pixels, "column": spec.image, "encoding": spec.encoding},
        unreadable=_unreadable(rows, files),
    )


def _of_cells(spec: TableData, rows: LabelledRows, contents: Contents) -> Listing:
    """The images lie in the table itself."""
    return Listing(
        source=f"images in {rows.path}",
        ids=rows.ids,
        targets=rows.targets,
        given=rows.given,
        groups=rows.sides.groups,
        times=rows.sides.times,
        weights=rows.sides.weights,
        versions=Made(len(rows.samples), lambda row: version_of(rows.samples[row])) if not rows.contents else None,
        identity=rows.identity,
        sources=rows.samples,
        reader=EncodedReader(contents, spec.max_pixels),
        table=SourceTable(str(rows.path), spec.encoding, spec.labels[0], spec.used),
        facts={"max_pixels": spec.max_pixels, "column": spec.image, "encoding": spec.encoding},
    )


def _unreadable(rows: LabelledRows, files: Sequence[tuple[str, int, int | str]]) -> tuple[Ignored, ...]:
    tally, unlabelled = Tally(), set(rows.targets.missing.tolist())
    for row, (name, (path, size, _)) in enumerate(zip(rows.ids, files, strict=True)):
        reason = reason_unreadable(path, size)
        if reason and row not in unlabelled:
            tally.add(reason, f"{name} {redact(path)}".rstrip())
    return tally.result()
