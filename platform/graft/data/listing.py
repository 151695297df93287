"""What the user's data holds, found by cheap checks before anything is decoded.

Each kind of data is one function ``(spec, progress) -> Listing``, registered by the name of its kind; a third party
adds one through the entry point group ``graft.data kind``.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from graft.core.errors import DataError
from graft.core.registry import Registry
from graft.data.read import Reader

Progress = Callable[[int], None]
"""Told now and then how many samples have been found."""

DATA_KINDS = Registry(
    "data kind",
    {
        "digits": "graft.data.digits:list_digits",
        "idx": "graft.data.idx:list_idx",
        "image_folder": "graft.data.image_folder:list_image_folder",
    },
)


class DataSpec(Protocol):
    """What the data section of every job says, whatever its kind."""

    @property
    def kind(self) -> str: ...
    @property
    def validation(self) -> float: ...
    @property
    def test(self) -> float: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def max_unreadable(self) -> float: ...
    @property
    def max_pixels(self) -> int: ...


class FolderSpec(DataSpec, Protocol):
    """A data section that names a directory."""

    @property
    def path(self) -> str | Path: ...


@dataclass(frozen=True)
class Listing:
    """Every sample of a source, in a fixed order, not yet decoded.

    Attributes:
        source: where the samples come from, for people.
        classes: names of the classes.
        ids: one per sample: its path relative to the source, or ``train/12``.
        labels: int64 [N], an index into `classes`.
        given: uint8 [N], the split that the source itself says, or `UNASSIGNED`.
        identity: digest of what can be known without reading everything (paths, sizes, times of change): as long as it
            stays, the samples have not changed.
        sources: for each sample what `reader` needs to get its pixels: a path or the raw pixels.
        reader: turns an entry of `sources` into content and pixels, on any machine of the cluster.
        channels: 1 if every image is known to be grey, else 3.
        native_side: short side of the images in pixels, if all have the same.
        ignored: how many files were passed over because their names are not those of images.
    """

    source: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    labels: np.ndarray
    given: np.ndarray
    identity: str
    sources: Sequence[bytes]
    reader: Reader
    channels: int = 3
    native_side: int | None = None
    ignored: int = 0

    def __len__(self) -> int:
        return len(self.ids)


def list_samples(spec: DataSpec, progress: Progress | None = None) -> Listing:
    """List the samples of the user's data.

    Args:
        spec: the job's data section; `kind` chooses who reads it.
        progress: told now and then how many samples have been found.

    Raises:
        DataError: the data cannot be used: a missing directory, no images, an empty class, only one class, two classes
            whose names differ only in case, a damaged IDX file.
        SpecError: nobody has registered the kind.
    """
    listing: Listing = DATA_KINDS.get(spec.kind)(spec, progress)
    check_classes(listing.classes, listing.source)
    return listing


def check_classes(classes: Sequence[str], source: str) -> None:
    """Check the names of the classes.

    Raises:
        DataError: fewer than two, or two that a case-insensitive file system (or a reader) takes for one.
    """
    if len(classes) < 2:
        raise DataError(
            f"{source} has {len(classes)} class ({', '.join(classes)}), but needs at least 2 to tell apart; add another"
        )
    seen: dict[str, str] = {}
    for name in classes:
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            raise DataError(f"{source} has the classes `{seen[folded]}` and `{name}`, {_likeness(seen[folded], name)}")
        seen[folded] = name


def require_directory(path: str | Path) -> Path:
    """The path, made absolute.

    Raises:
        DataError: it does not exist or is a file.
    """
    directory = Path(path).expanduser().absolute()
    if not directory.exists():
        raise DataError(f"data.path is {directory}, but there is nothing there; check the path")
    if not directory.is_dir():
        raise DataError(f"data.path is {directory}, but must be a directory, not a file; unpack it if it is an archive")
    return directory


def _likeness(first: str, second: str) -> str:
    rule = "but names must be different" if first == second else "but names must differ in more than case"
    return f"{rule}; rename or merge them"
