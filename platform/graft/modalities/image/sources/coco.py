"""COCO's annotations as labels of whole images (Lin et al., 2014; cocodataset.org/#format-data).

A file has ``images`` (id, file_name), ``categories`` (id, name) and ``annotations`` (image_id, category_id). An image
is of the categories that its annotations are of: of one each, or of several.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data import unique_keys
from graft.data.contents.beside import file_beside, reason_unreadable, stamps_of
from graft.data.contents.coded import Coded
from graft.data.contents.parts import StampedFile
from graft.data.decoding.versions import version_of
from graft.data.folders.paths import printable
from graft.data.listing import Listing, Progress
from graft.data.overview import Ignored, Tally
from graft.data.read import Unreadable, read_file
from graft.data.remote.address import is_remote
from graft.data.remote.here import Here, file_here, tree_here
from graft.data.split import UNASSIGNED, code_of
from graft.data.splits.names import SplitName, split_within
from graft.data.tables.side_columns import sides_of
from graft.data.targets import RawTargets
from graft.modalities.image.read import FileReader
from graft.spec.modalities.image import CocoData

_FOLDERS = ("", "images", "data")
_ASKED = 2
"""Images that a store is asked for in each place."""


@dataclass(frozen=True)
class _Annotated:
    """An image with the names of its categories, in their order, and what else is said of it, by its key."""

    name: str
    path: bytes
    labels: tuple[str, ...]
    sides: Mapping[str, Any]
    split: SplitName | None


def list_coco(spec: CocoData, progress: Progress | None = None) -> Listing:
    """List the images of a file of annotations, or of those in a directory.

    Raises:
        DataError: a file is damaged or of another form, or its images are not where they could be.
    """
    with _annotations_here(spec.path, progress) as here:
        files = _files(here.path)
        stamps = here.stamp or [StampedFile.of(file).to_list() for file in files]
        found = [one for file in files for one in _annotated(spec, here, file, is_alone=len(files) == 1)]
    tally = Tally()
    has_many = spec.labels == "many" or (spec.labels == "auto" and any(len(one.labels) > 1 for one in found))
    kept = []
    for one in found:
        if has_many or len(one.labels) == 1:
            kept.append(one)
        else:
            tally.add("image without an annotation" if not one.labels else "image of several categories", one.name)
    if not kept:
        raise DataError(f"{spec.path} annotates no image so that it could be used; check the file, or data.labels")
    if progress is not None:
        progress(len(kept))
    paths = [one.path for one in kept]
    stats = [(printable(os.fsdecode(path)), *stamp) for path, stamp in zip(paths, stamps_of(paths), strict=True)]
    said = {key: Coded(one.sides[key] for one in kept) for key in spec.sides.values()}
    sides = sides_of(PurePath(spec.path).name, spec.sides, said)
    return Listing(
        source=f"images in {spec.path}",
        ids=tuple(one.name for one in kept),
        targets=_targets(kept, has_many),
        given=np.array([code_of(one.split) if one.split else UNASSIGNED for one in kept], dtype=np.uint8),
        identity=text_digest(canonical_json([stamps, stats, spec.labels])),
        sources=paths,
        versions=[version_of(*file) for file in stats],
        reader=FileReader(spec.max_pixels),
        facts={"max_pixels": spec.max_pixels},
        ignored=tally.result(),
        unreadable=_unreadable(kept, stats),
        groups=sides.groups,
        times=sides.times,
        weights=sides.weights,
    )


def _unreadable(kept: Sequence[_Annotated], stats: Sequence[tuple[str, int, int | str]]) -> tuple[Ignored, ...]:
    tally = Tally()
    for one, (path, size, _) in zip(kept, stats, strict=True):
        if reason := reason_unreadable(path, size):
            tally.add(reason, one.name)
    return tally.result()


def _annotations_here(path: Path | str, progress: Progress | None) -> AbstractContextManager[Here]:
    """The file of annotations, or a directory of such files."""
    if is_remote(path) and not path.lower().endswith(".json"):
        return tree_here(path, lambda name: "/" not in name and name.endswith(".json"), progress)
    return file_here(path, progress)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [one for one in sorted(path.glob("*.json")) if split_within(one.stem)]
        if not found:
            raise DataError(f"{path} holds no .json whose name says a split, such as train.json; name the file")
        return found
    if not path.is_file():
        raise DataError(f"data.path is {path}, but there is no such file; check the path")
    return [path]


def _annotated(spec: CocoData, here: Here, file: Path, is_alone: bool) -> Iterator[_Annotated]:
    content = _content(file)
    images, annotations = _rows(file, content, "images"), _rows(file, content, "annotations")
    names = {one.get("id"): str(one.get("name")) for one in _rows(file, content, "categories")}
    order = {name: place for place, name in enumerate(dict.fromkeys(names.values()))}
    labels: dict[Any, set[str]] = {}
    for number, one in enumerate(annotations, 1):
        name = names.get(_key(one.get("category_id")))
        if name is None:
            raise DataError(
                f"{file}: annotation {number} is of category {str(one.get('category_id'))[:40]}, which is not in "
                "`categories`; correct it"
            )
        labels.setdefault(_key(one.get("image_id")), set()).add(name)
    directory = _directory(spec, _place(here, file), images)
    split = None if is_alone else split_within(file.stem)
    for number, one in enumerate(images, 1):
        name = one.get("file_name")
        if not isinstance(name, str) or not name:
            raise DataError(f"{file}: image {number} has no `file_name`, but must; correct it")
        of = sorted(labels.get(_key(one.get("id")), ()), key=order.__getitem__)
        path = _in(directory, name)
        shown = name if name.isprintable() else repr(name)
        yield _Annotated(shown, path, tuple(of), {key: one.get(key) for key in spec.sides.values()}, split)


def _content(file: Path) -> Mapping[str, Any]:
    try:
        found = unique_keys.loads(read_file(file))
    except Unreadable as error:
        raise DataError(f"{file} {error}; name a file of annotations") from error
    except unique_keys.DuplicateKeyError as error:
        raise DataError(f"{file} {error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is no JSON ({type(error).__name__}); check the file") from error
    if not isinstance(found, dict):
        raise DataError(f"{file} is a {type(found).__name__}, but must be an object as COCO has it; check the file")
    return found


def _rows(file: Path, content: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    rows = content.get(key)
    if not isinstance(rows, list) or not rows or not all(isinstance(one, dict) for one in rows):
        there = ", ".join(f"`{one[:40]}`" for one in list(content)[:12])
        raise DataError(f"{file} has no list of objects `{key}`, but must, as COCO has it; its keys are {there}")
    return rows


def _key(value: Any) -> Any:
    """An id as it can be looked up."""
    return value if isinstance(value, str | int | float | None) else str(value)


def _place(here: Here, file: Path) -> Path | str:
    """Where a file of annotations lies, if what is opened is its copy."""
    if not here.stamp:
        return file
    return here.shown if file == here.path else f"{here.shown}/{file.name}"


def _in(directory: Path | str, name: str) -> bytes:
    """The path or address of an image."""
    beside = directory / "x" if isinstance(directory, Path) else f"{directory}/x"
    return file_beside(beside, name.encode("utf-8", "surrogatepass"))


def _directory(spec: CocoData, file: Path | str, images: Sequence[Mapping[str, Any]]) -> Path | str:
    """Where the first images lie.

    Raises:
        DataError: nowhere that could be meant.
    """
    bases = [spec.directory] if spec.directory else [_above(file), _above(_above(file))]
    split = PurePath(file).stem.removeprefix("instances_")
    places = [_below(base, folder) for base in bases for folder in (*_FOLDERS, split, f"images/{split}")]
    names = [str(one.get("file_name")) for one in images[:20]]
    for place in places:
        if any(_is_file(place, name) for name in names[: _ASKED if is_remote(place) else len(names)]):
            return place
    where = f"data.directory ({spec.directory})" if spec.directory else f"{_above(file)} or beside it"
    raise DataError(f"{file} names `{names[0][:80]}`, which is not in {where}; name its directory in data.directory")


def _above(file: Path | str) -> Path | str:
    return file.rpartition("/")[0] if isinstance(file, str) else file.parent


def _below(base: Path | str, folder: str) -> Path | str:
    return base / folder if isinstance(base, Path) else f"{base}/{folder}".rstrip("/")


def _is_file(directory: Path | str, name: str) -> bool:
    if is_remote(directory):
        return int(stamps_of([_in(directory, name)])[0][0]) >= 0
    try:
        return Path(directory, name).is_file()
    except (OSError, ValueError):
        return False


def _targets(kept: Sequence[_Annotated], has_many: bool) -> RawTargets:
    if has_many:
        values = np.empty(len(kept), dtype=object)
        values[:] = [list(one.labels) for one in kept]
        return RawTargets(values)
    names = tuple(dict.fromkeys(name for name in sorted(one.labels[0] for one in kept)))
    codes = {name: code for code, name in enumerate(names)}
    return RawTargets(np.array([codes[one.labels[0]] for one in kept], dtype=np.int64), names)
