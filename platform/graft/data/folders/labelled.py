"""Files in a folder for each label: ``path/<label>/**``, or ``path/{train,val,test}/<label>/**``."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json
from graft.data.decoding.versions import version_of
from graft.data.folders.look import look_below
from graft.data.folders.meaning import meaning_of
from graft.data.folders.paths import SampleFiles, printable, size_and_time
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
        unreadable: samples that no file stands behind; they are among them.
        versions: of each, another when its file has changed.
        groups: object [N], what `data.group` finds in each path, if there is one.
    """

    root: str
    ids: tuple[str, ...]
    sources: list[bytes]
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
    files = [(file, group) for group in meaning.groups for file in group.folder.files(broken=True)]
    names = [file for file, _ in files]
    given = [code_of(group.split) for _, group in files]
    places = tree.places or _Disk(tree.root)
    found = [(printable(tree.at(name)), *stamp) for name, stamp in zip(names, places.stamps(names), strict=True)]
    return LabelledFiles(
        root=tree.root,
        ids=tuple(printable(name) for name in names),
        sources=places.sources(names),
        targets=RawTargets(
            np.array([codes[group.label] for _, group in files], dtype=np.int64),
            tuple(printable(label) for label in meaning.labels),
        ),
        given=np.array(given, dtype=np.uint8),
        identity=_identity(tree.root, found, given),
        versions=[version_of(*facts) for facts in found],
        ignored=meaning.ignored,
        unreadable=meaning.unreadable,
        groups=None if spec.group is None else _groups(tree.root, spec.group, list(map(printable, names))),
    )


def files_below(directory: Path, samples: SampleFiles) -> list[Path]:
    """All samples below a directory, sorted; `graft predict FOLDER` uses it.

    Raises:
        DataError: a directory below cannot be read.
    """
    return [directory / file for file in walk(directory.absolute(), samples).top.files(broken=True)]


def _groups(root: str, pattern: str, paths: Sequence[str]) -> np.ndarray:
    """What the pattern's one group holds in each path, with a slash before it and between its parts; else None."""
    search = re.compile(pattern).search
    found = np.empty(len(paths), dtype=object)
    for place, path in enumerate(paths):
        match = search("/" + path.replace(os.sep, "/"))
        found[place] = (match[1] or None) if match else None
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

    def sources(self, paths: Sequence[str]) -> list[bytes]:
        return [os.fsencode(os.path.join(self.root, path)) for path in paths]

    def stamps(self, paths: Sequence[str]) -> list[tuple[int, int | str]]:
        return [size_and_time(os.path.join(self.root, path)) for path in paths]


def _identity(root: str, found: Sequence[tuple[str, int, int | str]], given: Sequence[int]) -> str:
    """Digest of the JSON of ``[root, [[path, size, time, split], …]]``, which is never held as a whole."""
    digest = hashlib.sha256(f"[{canonical_json(printable(root))},[".encode())
    for place, (facts, code) in enumerate(zip(found, given, strict=True)):
        digest.update(f"{',' if place else ''}{canonical_json([*facts, code])}".encode())
    digest.update(b"]]")
    return digest.hexdigest()
