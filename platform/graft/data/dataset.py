"""A dataset as it lies on disk after ingest, and as it is handed to trials.

A directory holds a file for each column of the samples (``<name>.npy``, [N, *shape]; rows of any length are joined,
with ``<name>.offsets.npy`` beside them), ``targets.npy`` ([N, …]), ``splits.npy`` (uint8 [N]), ``rows.parquet`` (id,
split, sha256 of each row, and its group, where rows have groups), ``weights.npy`` (float64 [N], where rows have
weights), ``signs.parquet`` (what was seen in each) and ``manifest.json``. A dataset that is streamed has where its
samples come from in place of the columns (`graft.data.streaming`).
"""

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graft.core.errors import ArtifactError, ResourceError
from graft.core.passing_errors import machine_errors
from graft.core.storage import file_digest, read_json
from graft.core.stores.copy import bring_tree
from graft.data.columns import (
    Column,
    ColumnSpec,
    Ragged,
    StorageSpec,
    mapped,
    offsets_file,
    stored_columns,
    values_file,
)
from graft.data.examination.finding import Finding
from graft.data.split import Split
from graft.data.streaming.samples import STREAMED, streamed_columns
from graft.data.tables.parquet_columns import parquet_arrays, parquet_codes, parquet_columns

if TYPE_CHECKING:
    from graft.data.listing import Decoder

__all__ = ["Dataset", "DatasetArrays", "Quarantined", "Split", "open_dataset"]

FORMAT = 2
MANIFEST = "manifest.json"
TARGETS, SPLITS, ROWS, SIGNS = "targets.npy", "splits.npy", "rows.parquet", "signs.parquet"
WEIGHTS = "weights.npy"


@dataclass(frozen=True)
class Quarantined:
    """A sample that was left out.

    Attributes:
        path: as the user knows it, relative to the data's directory.
        reason: fits behind the path ("is empty").
        passing: whether it may be gone the next time, with the same bytes.
        kind: of the finding that it is.
    """

    path: str
    reason: str
    passing: bool = False
    kind: str = "unreadable"

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Quarantined":
        """From a manifest."""
        kind = str(raw.get("kind", cls.kind))
        return cls(raw["path"], raw["reason"], bool(raw.get("passing", False)), kind)


@dataclass(frozen=True)
class DatasetArrays:
    """What a training needs of a dataset.

    Arrays that are maps of files do not travel: whoever unpickles this maps the same files, so that the processes of a
    machine share one copy, in the system's page cache, and nobody holds the samples in memory of its own.

    Attributes:
        columns: of the samples, by name, N rows each.
        targets: [N, …], as the task has read them.
        splits: uint8 [N], codes of `Split`.
        names: of what is predicted: classes, target columns, labels.
        facts: what the task knows of the training rows.
        directory: of the files that the arrays are maps of; None where they are in memory.
        weights: float64 [N], how much each row counts in the training loss; None where all count alike.
        decoder: of a dataset that is streamed.
        kin: int64 [N], one number for rows that belong together (`Dataset.kin`); None where none do.
    """

    columns: Mapping[str, Column]
    targets: np.ndarray
    splits: np.ndarray
    names: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    directory: Path | None = None
    weights: np.ndarray | None = None
    decoder: "Decoder | None" = None
    kin: np.ndarray | None = None

    def __reduce__(self) -> str | tuple[Callable[..., "DatasetArrays"], tuple[Any, ...]]:
        if self.directory is not None:
            return _map_again, (self.directory, self.decoder)
        known = (self.columns, self.targets, self.splits, self.names, self.facts, None, self.weights, None, self.kin)
        return DatasetArrays, known

    def rows(self, *splits: Split) -> np.ndarray:
        """Indices of the rows of these splits, ascending, int64."""
        return _rows(self.splits, splits)


@dataclass(frozen=True)
class Dataset:
    """An ingested dataset in its directory. The arrays are memory maps, opened anew at each access and read-only.

    Attributes:
        directory: where it lies.
        names: of what is predicted: classes, target columns, labels.
        fingerprint: sha256 of content, targets, splits and stored form; the same data elsewhere has the same one.
        counts: rows of each split, by its lower-case name.
        quarantine: what was left out, and why.
        storage: how the samples are kept.
        source: where it came from, for people.
        task: kind of the task that has read the targets.
        facts: what it knows of the training rows.
        cross_split_duplicates: how many different samples lie, bit for bit, in more than one split.
        remarks: what was assumed to read some samples, and of how many; fits behind "3 images".
        findings: of the examination; None if there was none.
        dropped: samples that could be read, and were left out for a finding.
        is_streamed: whether its samples are decoded when they are asked for.
        decoder: does that; it is not on the disk.
    """

    directory: Path
    names: tuple[str, ...]
    fingerprint: str
    counts: Mapping[str, int]
    quarantine: tuple[Quarantined, ...]
    storage: StorageSpec
    source: str
    task: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    cross_split_duplicates: int = 0
    remarks: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    dropped: tuple[Quarantined, ...] = ()
    is_streamed: bool = False
    decoder: "Decoder | None" = None

    @property
    def columns(self) -> Mapping[str, Column]:
        """Of the samples, by name.

        Raises:
            ValueError: they are streamed, and there is no decoder.
        """
        if not self.is_streamed:
            return stored_columns(self.directory, self.storage.columns)
        if self.decoder is None:
            raise ValueError(f"dataset {self.directory} is streamed, but was opened without a decoder")
        return streamed_columns(self.directory, self.storage.columns, self.decoder)

    @property
    def signs(self) -> dict[str, np.ndarray]:
        """What was seen in each sample while it was decoded, by name: [N] or [N, k]; empty for older datasets.

        Raises:
            ArtifactError: the file is damaged.
        """
        path = self.directory / SIGNS
        if not path.exists():
            return {}
        return parquet_arrays(path)

    @property
    def targets(self) -> np.ndarray:
        """[N, …]."""
        return self._map(TARGETS)

    @property
    def splits(self) -> np.ndarray:
        """uint8 [N], codes of `Split`."""
        return self._map(SPLITS)

    @property
    def weights(self) -> np.ndarray | None:
        """float64 [N], how much each row counts in the training loss; None where all count alike."""
        return self._map(WEIGHTS) if (self.directory / WEIGHTS).exists() else None

    @property
    def groups(self) -> list[str | None] | None:
        """What each row has in common with others; None where rows have no groups.

        Raises:
            ArtifactError: the file is damaged.
        """
        return parquet_columns(self.directory / ROWS).get("group")

    @property
    def kin(self) -> np.ndarray | None:
        """int64 [N], one number for rows that belong together: of one group; where rows have no groups, (near) copies.

        A row that belongs to no other has a number of its own. None where none does.

        Raises:
            ArtifactError: the file is damaged.
        """
        codes = parquet_codes(self.directory / ROWS, "group", "copies")
        if codes is None:
            return None
        own = codes.max(initial=0) + 1 + np.arange(len(codes))
        return np.where(codes < 0, own, codes)

    @property
    def ids(self) -> tuple[str, ...]:
        """What each row was in the source: a relative path, or ``train/12``."""
        return tuple(row_columns(self.directory, "id")["id"])

    def rows(self, *splits: Split) -> np.ndarray:
        """Indices of the rows of these splits, ascending, int64."""
        return _rows(self.splits, splits)

    def arrays(self) -> DatasetArrays:
        """The samples stay on the disk, and only rows that are asked for are read."""
        return DatasetArrays(
            self.columns,
            self.targets,
            self.splits,
            self.names,
            self.facts,
            self.directory,
            self.weights,
            self.decoder,
            self.kin,
        )

    def _map(self, name: str) -> np.ndarray:
        return mapped(self.directory / name)


def files_of(columns: Sequence[ColumnSpec]) -> tuple[str, ...]:
    """Names of all files of a dataset with these columns but its manifest."""
    ragged = [offsets_file(spec) for spec in columns if spec.shape is None]
    return (*(values_file(spec) for spec in columns), *ragged, TARGETS, SPLITS, ROWS)


def row_columns(directory: Path, *names: str) -> dict[str, list[Any]]:
    """Columns of what is known of each row: `id`, `split`, `sha256`.

    Raises:
        ArtifactError: the file is damaged, or holds a type that would bring code along.
    """
    return parquet_columns(directory / ROWS, names)


def open_dataset(directory: Path, verify: bool = False, decoder: "Decoder | None" = None) -> Dataset:
    """Open an ingested dataset.

    Sizes and shapes are always checked, the digests of all files only with `verify` (it reads everything). What is
    streamed needs a decoder before its samples are asked for.

    Raises:
        ArtifactError: it is missing, damaged, or of another format.
        ResourceError: memory or file handles have run out, which says nothing of it.
    """
    manifest = _read_manifest(bring_tree(directory, is_final=True))
    try:
        with machine_errors(directory, is_ours=True):
            dataset = _from_manifest(directory, manifest, decoder)
            some = [name for name in (SIGNS, WEIGHTS) if name in manifest["files"]]
            stored = STREAMED if dataset.is_streamed else dataset.storage.columns
            _check_files(directory, (*files_of(stored), *some), manifest["files"], verify)
            _check_arrays(dataset, stored)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise ArtifactError(f"dataset {directory} is damaged ({error}); delete it and run again") from error
    return dataset


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / MANIFEST
    if not path.is_file():
        raise ArtifactError(
            f"{directory} is not a dataset of graft (no {MANIFEST}): it was deleted; `graft resume` makes it again"
        )
    manifest = read_json(path)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or not isinstance(version, int):
        raise ArtifactError(f"{path} is not the manifest of a dataset; delete {directory} and run again")
    if version > FORMAT:
        raise ArtifactError(
            f"dataset {directory} has format {version}, but this graft reads up to {FORMAT}; update graft"
        )
    if version < FORMAT:
        raise ArtifactError(f"dataset {directory} has format {version}, which is not read any more; run ingest again")
    return manifest


def _from_manifest(directory: Path, manifest: Mapping[str, Any], decoder: "Decoder | None") -> Dataset:
    storage, targets = manifest["storage"], manifest["targets"]
    is_streamed = bool(manifest.get("streamed", False))
    columns = tuple(
        ColumnSpec(one["name"], one["dtype"], None if one["shape"] is None else tuple(one["shape"]))
        for one in storage["columns"]
    )
    return Dataset(
        directory=directory,
        names=tuple(targets["names"]),
        fingerprint=manifest["fingerprint"],
        counts={split.name.lower(): int(manifest["counts"][split.name.lower()]) for split in Split},
        quarantine=tuple(map(Quarantined.read, manifest["quarantine"])),
        storage=StorageSpec(storage["modality"], columns, storage["form"], storage["identity"]),
        source=manifest["source"],
        task=targets["task"],
        facts=targets["facts"],
        cross_split_duplicates=manifest["cross_split_duplicates"],
        remarks={str(remark): int(count) for remark, count in manifest.get("remarks", {}).items()},
        findings=tuple(map(Finding.read, manifest["findings"])) if manifest.get("findings") is not None else None,
        dropped=tuple(map(Quarantined.read, manifest.get("dropped", ()))),
        is_streamed=is_streamed,
        decoder=decoder if is_streamed else None,
    )


def _check_files(directory: Path, names: Sequence[str], files: Mapping[str, Mapping[str, Any]], verify: bool) -> None:
    for name in names:
        path, entry = directory / name, files[name]
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if path.stat().st_size != entry["bytes"]:
            raise ValueError(f"{name} has {path.stat().st_size} bytes instead of {entry['bytes']}")
        if verify and file_digest(path) != entry["sha256"]:
            raise ValueError(f"{name} has changed since it was written")


def _check_arrays(dataset: Dataset, stored: Sequence[ColumnSpec]) -> None:
    count, columns = sum(dataset.counts.values()), stored_columns(dataset.directory, stored)
    for spec in stored:
        column = columns[spec.name]
        array = column.values if isinstance(column, Ragged) else column
        shape = (count, *spec.shape) if spec.shape is not None else array.shape
        if array.dtype != spec.dtype or array.shape != shape or len(column) != count:
            found = f"{array.dtype} {array.shape} in {len(column)} rows"
            raise ValueError(f"{spec.name} holds {found} instead of {spec.dtype} {shape} in {count} rows")
    if len(dataset.targets) != count:
        raise ValueError(f"{TARGETS} holds {len(dataset.targets)} rows instead of {count}")
    if dataset.weights is not None and len(dataset.weights) != count:
        raise ValueError(f"{WEIGHTS} holds {len(dataset.weights)} rows instead of {count}")
    if dataset.splits.dtype != np.uint8 or dataset.splits.shape != (count,):
        raise ValueError(f"{SPLITS} holds {dataset.splits.dtype} {dataset.splits.shape} instead of uint8 {(count,)}")


def _map_again(directory: Path, decoder: "Decoder | None") -> DatasetArrays:
    """The arrays of a dataset, in another process.

    Raises:
        ResourceError: this machine does not see the directory.
        ArtifactError: it is damaged.
    """
    if not bring_tree(directory, is_final=True).is_dir():
        raise ResourceError(
            f"dataset {directory} is not there on {platform.node()}; every node must see graft's home under the same "
            "path (`--home`), or it was deleted while it was in use: `graft resume` makes it again"
        )
    return open_dataset(directory, decoder=decoder).arrays()


def _rows(codes: np.ndarray, splits: Sequence[Split]) -> np.ndarray:
    return np.flatnonzero(np.isin(codes, [int(split) for split in splits])).astype(np.int64)
