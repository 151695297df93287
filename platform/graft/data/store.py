"""Writes the directory that `open_dataset` reads."""

import hashlib
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graft.core.storage import file_digest, write_json
from graft.data.dataset import FORMAT, IMAGES, LABELS, MANIFEST, ROWS, SPLITS, Quarantined, Split
from graft.data.square import StoredForm


@dataclass(frozen=True)
class Rows:
    """What is known of each stored row, in the order of the images.

    Attributes:
        ids: what the row was in the source.
        labels: int64 [N].
        splits: uint8 [N].
        digests: sha256 of each row's content, in hex.
    """

    ids: tuple[str, ...]
    labels: np.ndarray
    splits: np.ndarray
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """What the manifest says of where the rows came from.

    Attributes:
        source: for people.
        classes: names of the classes.
        stored: how the images are kept.
        quarantine: what was left out, and why.
        ignored: how many files were passed over because of their names.
    """

    source: str
    classes: tuple[str, ...]
    stored: StoredForm
    quarantine: tuple[Quarantined, ...]
    ignored: int = 0


class ImageWriter:
    """Appends images to an ``.npy`` file whose length is only known at the end.

    A plain file is written, not a memory map: a full disk is then an error, not a signal that kills the process.
    """

    def __init__(self, path: Path, stored: StoredForm) -> None:
        self._shape = (stored.stored_size, stored.stored_size, stored.channels)
        self._count = 0
        self._stream: BinaryIO = path.open("wb")
        self._write_header()

    def __enter__(self) -> "ImageWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._stream.seek(0)
                self._write_header()
                self._stream.flush()
                os.fsync(self._stream.fileno())
        finally:
            self._stream.close()

    def append(self, images: np.ndarray) -> None:
        """Append uint8 images [n, S, S, C]."""
        if images.dtype != np.uint8 or images.shape[1:] != self._shape:
            raise ValueError(f"images are {images.dtype} {images.shape[1:]}, but must be uint8 {self._shape}")
        self._stream.write(np.ascontiguousarray(images).data)
        self._count += len(images)

    def _write_header(self) -> None:
        # numpy leaves room in the header for the first dimension to grow, so the length may be filled in afterwards.
        header = {"descr": "|u1", "fortran_order": False, "shape": (self._count, *self._shape)}
        np.lib.format.write_array_header_1_0(self._stream, header)


def write_rows(directory: Path, rows: Rows, origin: Origin) -> None:
    """Write everything but the images, the manifest last."""
    np.save(directory / LABELS, rows.labels.astype(np.int64))
    np.save(directory / SPLITS, rows.splits.astype(np.uint8))
    columns = {"id": list(rows.ids), "label": rows.labels, "split": rows.splits, "sha256": list(rows.digests)}
    pq.write_table(pa.table(columns), directory / ROWS)
    write_json(directory / MANIFEST, _manifest(directory, rows, origin))


def fingerprint(rows: Rows, origin: Origin) -> str:
    """sha256 over the sorted contents with their labels and splits, and the stored form.

    Paths, order and times do not enter: the same data in another place has the same fingerprint.
    """
    digest = hashlib.sha256(repr((FORMAT, origin.stored, origin.classes)).encode())
    triples = zip(rows.digests, rows.labels.tolist(), rows.splits.tolist(), strict=True)
    for line in sorted(f"{content} {label} {split}\n" for content, label, split in triples):
        digest.update(line.encode())
    return digest.hexdigest()


def cross_split_duplicates(rows: Rows) -> int:
    """How many different contents lie in more than one split."""
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for content, split in zip(rows.digests, rows.splits.tolist(), strict=True):
        seen[content].add(split)
    return sum(len(splits) > 1 for splits in seen.values())


def _manifest(directory: Path, rows: Rows, origin: Origin) -> dict[str, object]:
    files = (directory / name for name in (IMAGES, LABELS, SPLITS, ROWS))
    return {
        "format": FORMAT,
        "classes": list(origin.classes),
        "counts": {split.name.lower(): int(np.sum(rows.splits == split)) for split in Split},
        "class_counts": {
            name: [int(np.sum((rows.labels == label) & (rows.splits == split))) for split in Split]
            for label, name in enumerate(origin.classes)
        },
        "fingerprint": fingerprint(rows, origin),
        "stored": asdict(origin.stored),
        "source": origin.source,
        "quarantine": [asdict(entry) for entry in origin.quarantine],
        "ignored_files": origin.ignored,
        "cross_split_duplicates": cross_split_duplicates(rows),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in files},
    }
