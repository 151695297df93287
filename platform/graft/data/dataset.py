"""A dataset as it lies on disk after ingest, and as it is handed to trials.

A directory holds ``images.npy`` (uint8 [N, S, S, C]), ``labels.npy`` (int64 [N]), ``splits.npy`` (uint8 [N]),
``rows.parquet`` (id, label, split, sha256 of each row) and ``manifest.json``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import ArtifactError
from graft.core.storage import file_digest, read_json
from graft.data.square import StoredForm

FORMAT = 1
MANIFEST = "manifest.json"
IMAGES, LABELS, SPLITS, ROWS = "images.npy", "labels.npy", "splits.npy", "rows.parquet"


class Split(IntEnum):
    """What a row is for; the number is its code in ``splits.npy``."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


@dataclass(frozen=True)
class Quarantined:
    """A file that was left out.

    Attributes:
        path: as the user knows it, relative to the data's directory.
        reason: fits behind the path ("is empty").
    """

    path: str
    reason: str


@dataclass(frozen=True)
class DatasetArrays:
    """A whole dataset in memory; it travels through Ray's object store, where its arrays become read-only.

    Attributes:
        images: uint8 [N, S, S, C].
        labels: int64 [N], an index into `classes`.
        splits: uint8 [N], codes of `Split`.
        classes: names of the classes.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    classes: tuple[str, ...]

    def rows(self, *splits: Split) -> np.ndarray:
        """Indices of the rows of these splits, ascending, int64."""
        return _rows(self.splits, splits)


@dataclass(frozen=True)
class Dataset:
    """An ingested dataset in its directory. The arrays are memory maps, opened anew at each access and read-only.

    Attributes:
        directory: where it lies.
        classes: names of the classes; a label is an index into them.
        fingerprint: sha256 of content, labels, splits and stored form; the same data elsewhere has the same one.
        counts: rows of each split, by its lower-case name.
        quarantine: what was left out, and why.
        stored: how the images are kept.
        source: where it came from, for people.
        cross_split_duplicates: how many different images lie, bit for bit, in more than one split.
    """

    directory: Path
    classes: tuple[str, ...]
    fingerprint: str
    counts: Mapping[str, int]
    quarantine: tuple[Quarantined, ...]
    stored: StoredForm
    source: str
    cross_split_duplicates: int = 0

    @property
    def images(self) -> np.ndarray:
        """uint8 [N, S, S, C]."""
        return self._map(IMAGES)

    @property
    def labels(self) -> np.ndarray:
        """int64 [N]."""
        return self._map(LABELS)

    @property
    def splits(self) -> np.ndarray:
        """uint8 [N], codes of `Split`."""
        return self._map(SPLITS)

    @property
    def ids(self) -> tuple[str, ...]:
        """What each row was in the source: a relative path, or ``train/12``."""
        import pyarrow.parquet  # only reports ask for it, and it takes longer to import than all else here

        return tuple(pyarrow.parquet.read_table(self.directory / ROWS, columns=["id"])["id"].to_pylist())

    def rows(self, *splits: Split) -> np.ndarray:
        """Indices of the rows of these splits, ascending, int64."""
        return _rows(self.splits, splits)

    def arrays(self) -> DatasetArrays:
        """Everything read into memory."""
        return DatasetArrays(np.array(self.images), np.array(self.labels), np.array(self.splits), self.classes)

    def mapped(self) -> DatasetArrays:
        """The images stay on the disk, and only rows that are asked for are read: for a process that sees a part."""
        return DatasetArrays(self.images, np.array(self.labels), np.array(self.splits), self.classes)

    def _map(self, name: str) -> np.ndarray:
        array: np.ndarray = np.load(self.directory / name, mmap_mode="r", allow_pickle=False)
        return array


def open_dataset(directory: Path, verify: bool = False) -> Dataset:
    """Open an ingested dataset.

    Sizes and shapes are always checked, the digests of all files only with `verify` (it reads everything).

    Raises:
        ArtifactError: it is missing, damaged, or written by a newer graft.
    """
    manifest = _read_manifest(directory)
    try:
        _check_files(directory, manifest["files"], verify)
        dataset = _from_manifest(directory, manifest)
        _check_arrays(dataset)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ArtifactError(f"dataset {directory} is damaged ({error}); delete it and run again") from error
    return dataset


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{directory} is not a dataset of graft (no {MANIFEST}); run the ingest stage")
    manifest = read_json(path)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or not isinstance(version, int):
        raise ArtifactError(f"{path} is not the manifest of a dataset; delete {directory} and run again")
    if version > FORMAT:
        raise ArtifactError(
            f"dataset {directory} has format {version}, but this graft reads up to {FORMAT}; update graft"
        )
    return manifest


def _from_manifest(directory: Path, manifest: Mapping[str, Any]) -> Dataset:
    stored = manifest["stored"]
    return Dataset(
        directory=directory,
        classes=tuple(manifest["classes"]),
        fingerprint=manifest["fingerprint"],
        counts={split.name.lower(): int(manifest["counts"][split.name.lower()]) for split in Split},
        quarantine=tuple(Quarantined(entry["path"], entry["reason"]) for entry in manifest["quarantine"]),
        stored=StoredForm(stored["stored_size"], stored["channels"], stored["interpolation"]),
        source=manifest["source"],
        cross_split_duplicates=manifest["cross_split_duplicates"],
    )


def _check_files(directory: Path, files: Mapping[str, Mapping[str, Any]], verify: bool) -> None:
    for name in (IMAGES, LABELS, SPLITS, ROWS):
        path, entry = directory / name, files[name]
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise ValueError(f"{name} has {path.stat().st_size} bytes instead of {entry['bytes']}")
        if verify and file_digest(path) != entry["sha256"]:
            raise ValueError(f"{name} has changed since it was written")


def _check_arrays(dataset: Dataset) -> None:
    count, side = sum(dataset.counts.values()), dataset.stored.stored_size
    wanted = {
        IMAGES: (dataset.images, np.uint8, (count, side, side, dataset.stored.channels)),
        LABELS: (dataset.labels, np.int64, (count,)),
        SPLITS: (dataset.splits, np.uint8, (count,)),
    }
    for name, (array, dtype, shape) in wanted.items():
        if array.dtype != dtype or array.shape != shape:
            raise ValueError(f"{name} holds {array.dtype} {array.shape} instead of {np.dtype(dtype)} {shape}")


def _rows(codes: np.ndarray, splits: Sequence[Split]) -> np.ndarray:
    return np.flatnonzero(np.isin(codes, [int(split) for split in splits])).astype(np.int64)
