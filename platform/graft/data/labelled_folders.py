"""Files in a folder for each label: ``path/<label>/**``, or ``path/{train,val,test}/<label>/**``."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.core.unicode_form import composed
from graft.data.listing import Progress, require_directory
from graft.data.split import UNASSIGNED, Split
from graft.data.targets import RawTargets

_SPLIT_FOLDERS: Mapping[str, int] = {
    # What is left of the training files is split by the job where there is no validation folder.
    "train": UNASSIGNED,
    "val": int(Split.VALIDATION),
    "valid": int(Split.VALIDATION),
    "validation": int(Split.VALIDATION),
    "test": int(Split.TEST),
}
_PROGRESS_EVERY = 1000


@dataclass(frozen=True)
class SampleFiles:
    """Which files are samples.

    Attributes:
        noun: what they are called, plural.
        includes: whether a path is one by its name.
        named: how their names are, for messages ("as images", ".txt").
    """

    noun: str
    includes: Callable[[str], bool]
    named: str


@dataclass(frozen=True)
class LabelledFiles:
    """The files of a directory, in a fixed order.

    Attributes:
        root: the directory.
        ids: path of each file below it, printable.
        sources: absolute path of each, in the file system's own bytes.
        targets: the folder of each.
        given: uint8 [N], the split that its folder says.
        identity: digest of paths, sizes and times of change.
        ignored: how many files are no samples by their names.
    """

    root: Path
    ids: tuple[str, ...]
    sources: list[bytes]
    targets: RawTargets
    given: np.ndarray
    identity: str
    ignored: int


@dataclass(frozen=True)
class _File:
    path: str
    label: str
    given: int
    size: int
    mtime_ns: int


def list_labelled_files(path: Path, samples: SampleFiles, progress: Progress | None = None) -> LabelledFiles:
    """List a directory with one folder of samples for each label.

    When its folders are called ``train`` and ``val`` (or ``valid``, ``validation``) or ``test``, they are the splits
    and the labels lie inside. Hidden files are passed over, and so are files that are no samples by their names.

    Raises:
        DataError: the directory is missing, holds no folders of samples, or one of these holds none.
    """
    root = require_directory(path)
    files: list[_File] = []
    ignored = 0
    for split_folder, given in _split_folders(root):
        for folder in _label_folders(split_folder, samples):
            found, passed = _list_label(folder, given, samples)
            files += found
            ignored += passed
            if progress is not None and len(files) // _PROGRESS_EVERY > (len(files) - len(found)) // _PROGRESS_EVERY:
                progress(len(files))
    names = _names(root, files)
    codes = {name: code for code, name in enumerate(names)}
    if progress is not None:
        progress(len(files))
    return LabelledFiles(
        root=root,
        ids=tuple(printable(os.path.relpath(file.path, root)) for file in files),
        sources=[os.fsencode(file.path) for file in files],
        targets=RawTargets(
            np.array([codes[file.label] for file in files], dtype=np.int64), tuple(printable(name) for name in names)
        ),
        given=np.array([file.given for file in files], dtype=np.uint8),
        identity=_identity(root, files),
        ignored=ignored,
    )


def files_below(directory: Path, samples: SampleFiles) -> list[Path]:
    """All samples below a directory, sorted; `graft predict FOLDER` uses it.

    Raises:
        DataError: a directory below cannot be read.
    """
    return sorted(Path(path) for path in _walk(directory) if samples.includes(path))


def printable(name: str) -> str:
    """Names that are not UTF-8 are shown with escapes; they could be stored in no text format as they are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def size_and_time(path: str | bytes) -> tuple[int, int]:
    """Bytes and time of change (ns) of a file; -1 where there is none: who reads it will say so and quarantine it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _split_folders(root: Path) -> list[tuple[Path, int]]:
    folders = _subfolders(root)
    train = next((folder for folder in folders if folder.name.lower() == "train"), None)
    are_splits = {folder.name.lower() for folder in folders} <= set(_SPLIT_FOLDERS)
    if train is None or not are_splits or not _subfolders(train):
        return [(root, UNASSIGNED)]
    twice = [folder.name for folder in folders if _SPLIT_FOLDERS[folder.name.lower()] == Split.VALIDATION]
    if len(twice) > 1:
        raise DataError(
            f"{root} has the folders {' and '.join(twice)}, but must have one for validation; remove the others"
        )
    return [(folder, _SPLIT_FOLDERS[folder.name.lower()]) for folder in folders]


def _label_folders(folder: Path, samples: SampleFiles) -> list[Path]:
    folders = _subfolders(folder)
    if folders:
        return folders
    held = f"{samples.noun} directly" if any(map(samples.includes, _walk(folder))) else f"no {samples.noun}"
    raise DataError(f"{folder} holds {held}, but must hold one folder of {samples.noun} for each class")


def _list_label(folder: Path, given: int, samples: SampleFiles) -> tuple[list[_File], int]:
    paths = sorted(_walk(folder))
    found = [path for path in paths if samples.includes(path)]
    if not found:
        others = f" (its {len(paths)} files are not named {samples.named})" if paths else ""
        raise DataError(f"class folder {folder} is empty{others}; add {samples.noun} or remove it")
    return [_File(path, composed(folder.name), given, *size_and_time(path)) for path in found], len(paths) - len(found)


def _names(root: Path, files: list[_File]) -> list[str]:
    trained = sorted({file.label for file in files if file.given == UNASSIGNED})
    strange = sorted({file.label for file in files} - set(trained))
    if strange:
        raise DataError(
            f"{root} has the class `{strange[0]}` for validation or test, but not in train; add it or remove it"
        )
    return trained


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise _cannot_read(error) from error


def _walk(folder: Path) -> Iterator[str]:
    """Paths of all files that are not hidden; links are followed, each directory once."""
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        identity = os.stat(parent)
        if (identity.st_dev, identity.st_ino) in seen:
            folders.clear()
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(parent, name) for name in names if not name.startswith("."))


def _identity(root: Path, files: list[_File]) -> str:
    entries = [(printable(file.path), file.size, file.mtime_ns, file.given) for file in files]
    return text_digest(canonical_json([printable(str(root)), entries]))


def _raise(error: OSError) -> None:
    raise _cannot_read(error) from error


def _cannot_read(error: OSError) -> DataError:
    return DataError(f"{error.filename} cannot be read ({error.strerror}); check its permissions")
