"""The rows of a Hugging Face data set: labels at once, samples by their places in the Arrow files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.core.storage import canonical_json, text_digest
from graft.data.columnar.cells import DAMAGE, CellSources, ColumnCells, holds_bytes, place_of
from graft.data.columnar.groups import ArrowGroups
from graft.data.contents.coded import Coded
from graft.data.contents.made import Made
from graft.data.contents.packed import Texts
from graft.data.contents.parts import StampedFile
from graft.data.contents.placed import PlacedSamples
from graft.data.decoding.versions import version_of
from graft.data.hub.fetched import fetched_parts
from graft.data.hub.saved import SavedPart, features_of, is_of_a_set, label_names_of, saved_parts
from graft.data.overview import Ignored, Progress
from graft.data.remote.here import tree_here
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import split_of
from graft.data.tables.labels import Place, raw_targets
from graft.data.tables.rows import require_columns
from graft.data.tables.side_columns import sides_of
from graft.data.targets import RawTargets
from graft.spec.modalities.huggingface import HuggingFaceData


@dataclass(frozen=True)
class _File:
    """An Arrow file of a split."""

    part: SavedPart
    path: Path
    groups: ArrowGroups


def list_hub(spec: HuggingFaceData, progress: Progress | None = None) -> PlacedSamples:
    """List the rows of a set.

    Raises:
        DataError: it is not there, damaged, or lacks a column; or no row has a label.
        ResourceError: the hub cannot be reached.
    """
    if spec.path is None:
        return _list(spec, fetched_parts(spec.name or "", spec.config, spec.revision), (), progress)
    with tree_here(spec.path, is_of_a_set, progress) as here:
        return _list(spec, saved_parts(here.path), here.stamp, progress)


def _list(
    spec: HuggingFaceData, parts: Sequence[SavedPart], stamp: Sequence[Any], progress: Progress | None
) -> PlacedSamples:
    """The rows of a set on this machine; `stamp` tells the content of a copy from another's."""
    used, ignored = _used(parts)
    files = [_File(part, path, ArrowGroups(path)) for part in used for path in part.files]
    stamps = [StampedFile.of(file.path) for file in files]
    names = list(dict.fromkeys((spec.label, *spec.sides.values())))
    values, counts = {name: Coded() for name in names}, []
    labels = values[spec.label]
    for file in files:
        before = len(labels)
        _check_sample(spec, file)
        for batch in guarded(file.path, file.groups.batches(names)):
            for name in names:
                values[name].extend(batch[name].to_pylist())
        counts.append(len(labels) - before)
        if progress is not None:
            progress(len(labels))
    if not len(labels):
        raise DataError(f"{spec.told} holds no rows, but must hold some; check the set")
    given = np.repeat(np.array([_code(file.part) for file in files], dtype=np.uint8), counts)
    settings = [spec.sample, spec.label, [file.part.name for file in files]]
    facts = [spec.path, stamp] if stamp else [one.to_list() for one in stamps]
    sources = CellSources([tuple(next(guarded(file.path, (one.rows for one in [file.groups])))) for file in files])
    return PlacedSamples(
        ids=Texts(name for part in used for name in _ids(part, files, counts)),
        sources=sources,
        versions=Made(len(sources), partial(_version, [one.to_list() for one in stamps], sources)),
        contents=ColumnCells(stamps, spec.sample),
        targets=_targets(spec, files[0], labels),
        given=given,
        identity=text_digest(canonical_json([facts, settings])),
        ignored=ignored,
        sides=sides_of(spec.told, spec.sides, values),
    )


def _version(stamps: Sequence[Sequence[str | int]], sources: Sequence[bytes], row: int) -> str:
    """A file that has not changed holds what it held, whatever others are added."""
    number, group, place = place_of(sources[row])
    return version_of(*stamps[number], group, place)


def parts_of(spec: HuggingFaceData) -> tuple[SavedPart, ...]:
    """The splits of the set that a job names.

    Raises:
        DataError: it is not there.
        ResourceError: the hub cannot be reached.
    """
    if spec.path is not None:
        return saved_parts(Path(spec.path))
    return fetched_parts(spec.name or "", spec.config, spec.revision)


def guarded(path: Path, found: Iterator[Any]) -> Iterator[Any]:
    """What is read of a file, one after the other.

    Raises:
        DataError: it is damaged.
        ResourceError: the machine has no memory or file handles left.
    """
    while True:
        try:
            with machine_errors(path):
                one = next(found, None)
        except (*DAMAGE, OSError) as error:
            told = " ".join(str(error).split())[:160]
            raise DataError(f"{path} is damaged ({told}); save or fetch the set anew") from error
        if one is None:
            return
        yield one


def _used(parts: Sequence[SavedPart]) -> tuple[list[SavedPart], tuple[Ignored, ...]]:
    """The parts whose names say what they are for; one alone is used whatever its name."""
    if len(parts) == 1:
        return list(parts), ()
    used = [part for part in parts if split_of(part.name)]
    if not any(split_of(part.name) == "train" for part in used):
        names = ", ".join(f"`{part.name[:60]}`" for part in parts[:12])
        raise DataError(f"the set has the splits {names}, but must have `train`; name the directory of one of them")
    others = tuple(part.name for part in parts if part not in used)
    return used, (Ignored("split of no known name", len(others), others[:3]),) if others else ()


def _code(part: SavedPart) -> int:
    return code_of(split_of(part.name)) if part.name else UNASSIGNED


def _ids(part: SavedPart, files: Sequence[_File], counts: Sequence[int]) -> Iterator[str]:
    total = sum(count for file, count in zip(files, counts, strict=True) if file.part is part)
    return (f"{part.name or 'row'}/{row}" for row in range(1, total + 1))


def _check_sample(spec: HuggingFaceData, file: _File) -> None:
    found = next(guarded(file.path, (one.schema for one in [file.groups.file])))
    require_columns(file.path, found.names, [spec.sample, spec.label, *spec.sides.values()])
    kind = found.field(spec.sample).type
    is_text = bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    if spec.modality == "text" and not is_text:
        raise DataError(f"column `{spec.sample}` of {spec.told} is {kind}, but must be text; name another column")
    if spec.modality != "text" and not holds_bytes(kind):
        raise DataError(
            f"column `{spec.sample}` of {spec.told} is {kind}, but must hold the files themselves; save the set with "
            "`cast_column` to `datasets.Image()`, or name another column"
        )


def _targets(spec: HuggingFaceData, file: _File, cells: Coded) -> RawTargets:
    place = Place(spec.told, spec.label)
    names = label_names_of(features_of(file.groups.file.schema.metadata).get(spec.label))
    if names is None:
        return raw_targets([(place, cells)])
    if any(isinstance(one, list) for one in cells.different):
        return raw_targets([(place, cells.mapped(lambda one: one and [_named(names, n) for n in one]))])
    missing = cells.rows(lambda one: one is None or one == -1)  # data sets write -1 where nobody has looked
    strange = cells.rows(lambda one: one not in (None, -1) and not (isinstance(one, int) and 0 <= one < len(names)))
    if len(strange):
        raise DataError(
            f"{place} is {cells[int(strange[0])]} in row {strange[0] + 1}, but must be 0 to {len(names) - 1}, or -1 "
            "for no label; correct it"
        )
    if len(missing) == len(cells):
        raise DataError(f"{place} is -1 in every row, which stands for no label; name another column, or another set")
    codes = cells.picked(np.delete(np.arange(len(cells)), missing).tolist())
    return RawTargets(codes.taken(codes.different, np.int64), tuple(names), missing=missing)


def _named(names: Sequence[str], number: Any) -> Any:
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else number
