"""Files in a folder for each label: ``path/<label>/**``, or ``path/{train,val,test}/<label>/**``."""

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json
from graft.data.contents.made import Made
from graft.data.contents.packed import Texts
from graft.data.decoding.versions import version_of
from graft.data.folders.look import look_below
from graft.data.folders.meaning import meaning_of
from graft.data.folders.paths import SampleFiles, printable, size_and_time
from graft.data.folders.tree import Places, Tree
from graft.data.folders.walk import walk
from graft.data.overview import Ignored, Progress
from graft.data.split import code_of
from graft.data.targets import RawTargets
from graft.spec.modalities.folder import FolderSource


@dataclass(frozen=True)
class LabelledFiles:
    """The files of a directory, in a fixed order.

    Attributes:
        root: the directory, or its address.
        ids: path of each file below it, printable.
        sources: absolute path of each, in the file system's own bytes; or its address.
        targets: the folder of each.
        given: uint8 [N], the split that its folder says.
        identity: digest of paths, sizes and times of change; of names, sizes and versions in a store.
        ignored: what is no sample, by its reason.
        unreadable: samples that no file stands behind, or an empty one; they are among them.
        versions: of each, another when its file has changed.
        groups: object [N], what `data.group` finds in each path, if there is one.
    """

    root: str
    ids: Sequence[str]
    sources: Sequence[bytes]
    targets: RawTargets
    given: np.ndarray
    identity: str
    ignored: tuple[Ignored, ...]
    unreadable: tuple[Ignored, ...]
    versions: Sequence[str]
    groups: np.ndarray | None = None


def list_labelled_files(spec: FolderSource, samples: SampleFiles, progress: Progress | None = None) -> LabelledFiles:
    """List a directory with one folder of samples for each label, or for each split.

    Samples that are known to be unreadable by their kind are listed too: they are left out by name when they are read.

    Raises:
        DataError: the directory is missing, can be read in two ways, or in none (`graft.data.folders.meaning`), or no
            path has what `data.group` looks for.
    """
    tree = look_below(spec.path, samples, spec.ignore, progress)
    meaning = meaning_of(tree, samples, spec.layout)
    codes = {label: code for code, label in enumerate(meaning.labels)}
    names, ends = Texts(), [0]
    for group in meaning.groups:
        names.extend(group.folder.files(broken=True))
        ends.append(len(names))
    counts = np.diff(ends)
    given = np.repeat(np.array([code_of(group.split) for group in meaning.groups], dtype=np.uint8), counts)
    places = tree.places or _Disk(tree.root)
    identity, versions = _stamped(tree, names, places, given)
    ids = Made(len(names), partial(_id, names))
    return LabelledFiles(
        root=tree.root,
        ids=ids,
        sources=Made(len(names), partial(_source, names, places)),
        targets=RawTargets(
            np.repeat(np.array([codes[group.label] for group in meaning.groups], dtype=np.int64), counts),
            tuple(printable(label) for label in meaning.labels),
            alone=meaning.alone,
        ),
        given=given,
        identity=identity,
        versions=versions,
        ignored=meaning.ignored,
        unreadable=meaning.unreadable,
        groups=None if spec.group is None else _groups(tree.root, spec.group, ids),
    )


@dataclass(frozen=True)
class FilesBelow:
    """All samples below a directory, whatever its folders mean.

    Attributes:
        files: path of each, sorted.
        ignored: what is no sample, by its reason.
    """

    files: Sequence[Path]
    ignored: tuple[Ignored, ...] = ()


def files_below(directory: Path, samples: SampleFiles) -> FilesBelow:
    """All samples below a directory; `graft predict FOLDER` uses it.

    Raises:
        DataError: a directory below cannot be read.
    """
    tree = walk(directory.absolute(), samples)
    return FilesBelow([directory / file for file in tree.top.files(broken=True)], tree.passed_over().result())


def _groups(root: str, pattern: str, paths: Sequence[str]) -> np.ndarray:
    """What the pattern's one group holds in each path, with a slash before it and between its parts; else None."""
    search = re.compile(pattern).search
    found, known = np.empty(len(paths), dtype=object), dict[str, str]()
    for place, path in enumerate(paths):
        match = search("/" + path.replace(os.sep, "/"))
        group = match[1] if match else None
        found[place] = known.setdefault(group, group) if group else None  # one text for all of a group
    if not any(group is not None for group in found):
        raise DataError(
            f"data.group is `{pattern}`, which finds nothing in the {len(paths)} paths in {root}, such as "
            f"`/{paths[0]}`; correct it"
        )
    return found


@dataclass(frozen=True)
class _Disk:
    """Files below a directory."""

    root: str

    def source(self, path: str) -> bytes:
        return os.fsencode(os.path.join(self.root, path))

    def stamps(self, paths: Sequence[str]) -> Iterable[tuple[int, int | str]]:
        return (size_and_time(os.path.join(self.root, path)) for path in paths)


def _id(names: Sequence[str], row: int) -> str:
    return printable(names[row])


def _source(names: Sequence[str], places: Places, row: int) -> bytes:
    return places.source(names[row])


def _stamped(tree: Tree, names: Sequence[str], places: Places, given: np.ndarray) -> tuple[str, Texts]:
    """Digest of the JSON of ``[root, [[path, size, time, split], …]]``, which is never one text; and versions."""
    digest, versions = hashlib.sha256(f"[{canonical_json(printable(tree.root))},[".encode()), Texts()
    for place, (name, stamp) in enumerate(zip(names, places.stamps(names), strict=True)):
        facts = (printable(tree.at(name)), *stamp)
        digest.update(f"{',' if place else ''}{canonical_json([*facts, int(given[place])])}".encode())
        versions.append(version_of(*facts))
    digest.update(b"]]")
    return digest.hexdigest(), versions
