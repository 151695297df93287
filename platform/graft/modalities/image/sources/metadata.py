"""Images with a table beside them that names each: the convention of Hugging Face's `imagefolder`.

``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet`` lies at the top or in the folder of each split; a column
`file_name` has paths that start at its folder. Splits are told by the folders.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.contents.beside import file_beside, reason_unreadable, stamps_of
from graft.data.contents.coded import Coded
from graft.data.contents.packed import Texts
from graft.data.contents.parts import StampedFile
from graft.data.decoding.versions import version_of
from graft.data.folders.paths import printable, require_directory
from graft.data.listing import Listing, Progress
from graft.data.overview import Tally
from graft.data.remote.address import is_remote
from graft.data.remote.here import tree_here
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import split_of
from graft.data.tables.encoding import require_file
from graft.data.tables.labelled import open_table
from graft.data.tables.labels import Place, raw_targets
from graft.data.tables.side_columns import sides_of
from graft.modalities.image.read import FileReader
from graft.spec.modalities.image import MetadataData

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def list_metadata(spec: MetadataData, progress: Progress | None = None) -> Listing:
    """List the images that the tables of a directory name.

    Raises:
        DataError: there is no table, one lacks a column, or no row has a label.
    """
    with tree_here(spec.path, _is_table, progress) as here:
        directory = require_directory(here.path)
        tables = tables_in(directory)
        if not tables:
            told = f"{here.shown} holds no {', '.join(NAMES)}, at its top or in the folder of a split"
            raise DataError(f"{told}; check the path")
        read = [(table.relative_to(directory), *_rows(spec, table)) for table in tables]
        stamps = here.stamp or [StampedFile.of(table).to_list() for table in tables]
    root = spec.path if is_remote(spec.path) else directory
    paths = [_path(root, table, cell) for table, cells, _ in read for cell in cells]
    values = {
        name: Coded(one for _, _, some in read for one in some[name]) for name in (spec.label, *spec.sides.values())
    }
    sides = sides_of(tables[0].name, spec.sides, values)
    if progress is not None:
        progress(len(paths))
    given = [_split(root, path) for path in paths]
    found = [(printable(os.fsdecode(path)), *stamp) for path, stamp in zip(paths, stamps_of(paths), strict=True)]
    settings = [stamps, spec.file, spec.label, spec.encoding]
    shown = [printable(os.path.relpath(os.fsdecode(path), root)) if path else "row without a file" for path in paths]
    targets = raw_targets([(Place(tables[0].name, spec.label), values[spec.label])])
    missing, unlabelled = Tally(), set(targets.missing.tolist())
    for row, (name, (path, size, _)) in enumerate(zip(shown, found, strict=True)):
        reason = reason_unreadable(path, size)
        if reason and row not in unlabelled:
            missing.add(reason, name)
    return Listing(
        source=f"images in {root}",
        ids=Texts(shown),
        targets=targets,
        given=np.array(given, dtype=np.uint8),
        identity=text_digest(canonical_json([settings, found])),
        sources=paths,
        reader=FileReader(spec.max_pixels),
        facts={"max_pixels": spec.max_pixels, "column": spec.file, "encoding": spec.encoding},
        unreadable=missing.result(),
        versions=[version_of(*file) for file in found],
        groups=sides.groups,
        times=sides.times,
        weights=sides.weights,
    )


def tables_in(root: Path) -> list[Path]:
    """The tables of a directory: at its top, else in the folders of its splits."""
    top = [root / name for name in NAMES if (root / name).is_file()]
    if top:
        return top[:1]
    folders = [one for one in sorted(root.iterdir()) if one.is_dir() and split_of(one.name)]
    return [found for one in folders if (found := next((one / n for n in NAMES if (one / n).is_file()), None))]


def _is_table(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name in NAMES and (not folder or split_of(folder) is not None)


def _path(root: Path | str, table: Path, cell: bytes) -> bytes:
    if not cell:
        return b""
    return file_beside(root / table if isinstance(root, Path) else f"{root}/{table}", cell)


def _rows(spec: MetadataData, table: Path) -> tuple[Sequence[bytes], dict[str, Coded]]:
    cells, values = open_table(require_file(table), spec.encoding).read(spec.file, [spec.label, *spec.sides.values()])
    if not len(cells):
        raise DataError(f"{table} holds no rows, but must hold some beside its header")
    return cells, values


def _split(root: Path | str, path: bytes) -> int:
    """What the first folder of a file's path says."""
    parts = os.path.relpath(os.fsdecode(path), root).split(os.sep) if path else []
    split = split_of(parts[0]) if len(parts) > 1 else None
    return code_of(split) if split else UNASSIGNED
