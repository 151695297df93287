"""A folder of images for each class: ``path/<class>/**``, or ``path/{train,val,test}/<class>/**``."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.core.storage import canonical_json, text_digest
from graft.data.dataset import Split
from graft.data.listing import FolderSpec, Listing, Progress, require_directory
from graft.data.read import FileReader
from graft.data.split import UNASSIGNED

# Formats that cannot be read are listed too: they are then quarantined by name instead of vanishing without a word.
_READABLE = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_KNOWN_OTHER = {
    ".heic",
    ".heif",
    ".avif",
    ".jp2",
    ".jxl",
    ".psd",
    ".svg",
    ".ico",
    ".ppm",
    ".pgm",
    ".dng",
    ".cr2",
    ".nef",
    ".arw",
}
_IMAGE_SUFFIXES = _READABLE | _KNOWN_OTHER | {""}

_SPLIT_FOLDERS: Mapping[str, int] = {
    "train": UNASSIGNED,
    "val": int(Split.VALIDATION),
    "valid": int(Split.VALIDATION),
    "validation": int(Split.VALIDATION),
    "test": int(Split.TEST),
}
_PROGRESS_EVERY = 1000


@dataclass(frozen=True)
class _File:
    path: str
    class_name: str
    given: int
    size: int
    mtime_ns: int


def list_image_folder(spec: FolderSpec, progress: Progress | None = None) -> Listing:
    """List a directory with one folder of images for each class.

    When its folders are called ``train`` and ``val`` (or ``valid``, ``validation``) or ``test``, they are the splits
    and the classes lie inside. Hidden files are passed over, and so are files whose suffix is not one of images.

    Raises:
        DataError: the directory is missing, holds no class folders, or a class folder holds no images.
    """
    root = require_directory(spec.path)
    files: list[_File] = []
    ignored = 0
    for split_folder, given in _split_folders(root):
        for class_folder in _class_folders(split_folder):
            found, passed = _list_class(class_folder, given)
            files += found
            ignored += passed
            if progress is not None and len(files) // _PROGRESS_EVERY > (len(files) - len(found)) // _PROGRESS_EVERY:
                progress(len(files))
    classes = _class_names(root, files)
    codes = {name: code for code, name in enumerate(classes)}
    if progress is not None:
        progress(len(files))
    return Listing(
        source=f"images in {root}",
        classes=tuple(_printable(name) for name in classes),
        ids=tuple(_printable(os.path.relpath(file.path, root)) for file in files),
        labels=np.array([codes[file.class_name] for file in files], dtype=np.int64),
        given=np.array([file.given for file in files], dtype=np.uint8),
        identity=_identity(root, files),
        sources=[os.fsencode(file.path) for file in files],
        reader=FileReader(spec.max_pixels),
        ignored=ignored,
    )


def image_files(directory: Path) -> list[Path]:
    """All files below a directory whose names are those of images, sorted; `graft predict FOLDER` uses it too.

    Raises:
        DataError: a directory below cannot be read.
    """
    return sorted(Path(path) for path in _walk(directory) if _is_image(path))


def _split_folders(root: Path) -> list[tuple[Path, int]]:
    folders = _subfolders(root)
    train = next((folder for folder in folders if folder.name.lower() == "train"), None)
    are_splits = {folder.name.lower() for folder in folders} <= set(_SPLIT_FOLDERS)
    if train is None or not are_splits or not _subfolders(train):
        return [(root, UNASSIGNED)]
    _check_one_validation(root, folders)
    return [(folder, _SPLIT_FOLDERS[folder.name.lower()]) for folder in folders]


def _check_one_validation(root: Path, folders: list[Path]) -> None:
    twice = [folder.name for folder in folders if _SPLIT_FOLDERS[folder.name.lower()] == Split.VALIDATION]
    if len(twice) > 1:
        raise DataError(
            f"{root} has the folders {' and '.join(twice)}, but must have one for validation; remove the others"
        )


def _class_folders(folder: Path) -> list[Path]:
    folders = _subfolders(folder)
    if folders:
        return folders
    if any(_is_image(path) for path in _walk(folder)):
        raise DataError(f"{folder} holds images directly, but must hold one folder of images for each class")
    raise DataError(f"{folder} holds no images, but must hold one folder of images for each class")


def _list_class(folder: Path, given: int) -> tuple[list[_File], int]:
    paths = sorted(_walk(folder))
    images = [path for path in paths if _is_image(path)]
    if not images:
        others = f" (its {len(paths)} files are not named as images)" if paths else ""
        raise DataError(f"class folder {folder} is empty{others}; add images or remove it")
    return [_File(path, folder.name, given, *_size_and_time(path)) for path in images], len(paths) - len(images)


def _class_names(root: Path, files: list[_File]) -> list[str]:
    trained = sorted({file.class_name for file in files if file.given == UNASSIGNED})
    strange = sorted({file.class_name for file in files} - set(trained))
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


def _is_image(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in _IMAGE_SUFFIXES


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:  # a dangling link; reading it will say so and quarantine it
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _identity(root: Path, files: list[_File]) -> str:
    entries = [(_printable(file.path), file.size, file.mtime_ns, file.given) for file in files]
    return text_digest(canonical_json([_printable(str(root)), entries]))


def _printable(name: str) -> str:
    """Names that are not UTF-8 are shown with escapes; they could be stored in no text format as they are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise _cannot_read(error) from error


def _cannot_read(error: OSError) -> DataError:
    return DataError(f"{error.filename} cannot be read ({error.strerror}); check its permissions")
