"""Writes the directory that `open_dataset` reads."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from graft.core.storage import file_digest, write_json
from graft.data.columns import ColumnSpec, Ragged, StorageSpec, offsets_file, stored_columns, values_file
from graft.data.dataset import (
    FORMAT,
    MANIFEST,
    ROWS,
    SIGNS,
    SPLITS,
    TARGETS,
    WEIGHTS,
    Quarantined,
    Split,
    files_of,
)
from graft.data.examination.copies import equal_runs
from graft.data.examination.finding import Finding
from graft.data.streaming.samples import STREAMED

_ROWS_AT_ONCE = 256
_ROWS_A_PART = 4096
# Of the fingerprint: it has not changed since datasets held images only, so the same images keep theirs.
_FINGERPRINT_FORMAT = 1


@dataclass(frozen=True)
class Rows:
    """What is known of each stored row, in the order of the samples.

    Attributes:
        ids: what the row was in the source.
        targets: [N, …].
        splits: uint8 [N].
        digests: sha256 of each row's content, in hex: texts, or bytes [N].
        signs: what was seen in each while it was decoded, by name: [N] or [N, k].
        weights: float64 [N], how much each counts in the training loss; None where all count alike.
        groups: what each has in common with others; None where rows have no groups.
        versions: of each sample (`graft.data.listing.Listing.versions`); None where they cannot be told.
        remarks: what was assumed to read each; empty where nothing was.
        copies: int64 [N], the group of copies that each belongs to, -1 for none; None where no row has a copy.
    """

    ids: Sequence[str]
    targets: np.ndarray
    splits: np.ndarray
    digests: Sequence[str] | np.ndarray
    signs: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None
    groups: Sequence[str | None] | np.ndarray | None = None
    versions: Sequence[str] | None = None
    remarks: Sequence[str] = ()
    copies: np.ndarray | None = None

    @property
    def contents(self) -> np.ndarray:
        """The digests as bytes S64 [N]: a text for each would be most of what an ingest holds in memory."""
        return np.asarray(self.digests, dtype="S64")


@dataclass(frozen=True)
class Origin:
    """What the manifest says of where the rows came from.

    Attributes:
        source: for people.
        names: of what is predicted.
        storage: how the samples are kept.
        quarantine: what was left out, and why.
        task: kind of the task.
        facts: what it knows of the training rows.
        counts: what the targets of each split hold, as the task says.
        remarks: what was assumed to read some samples, and of how many.
        findings: of the examination; None if there was none.
        dropped: samples that could be read, and were left out for a finding.
        is_streamed: whether the samples are left where they are.
        decoding: names how samples were decoded and are kept (`IngestPlan.decoding`).
    """

    source: str
    names: tuple[str, ...]
    storage: StorageSpec
    quarantine: tuple[Quarantined, ...] = ()
    task: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    remarks: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] | None = None
    dropped: tuple[Quarantined, ...] = ()
    is_streamed: bool = False
    decoding: str = ""


class ColumnWriter:
    """Appends the rows of a column to an ``.npy`` file whose length is only known at the end.

    A plain file is written, not a memory map: a full disk is then an error, not a signal that kills the process.
    """

    def __init__(self, directory: Path, spec: ColumnSpec) -> None:
        self._directory, self._spec = directory, spec
        self._dtype = np.dtype(spec.dtype)
        self._ends: list[int] = []
        self._count = 0
        self._stream: BinaryIO = (directory / values_file(spec)).open("wb")
        self._write_header()

    def __enter__(self) -> "ColumnWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if kind is None:
                self._stream.seek(0)
                self._write_header()
                self._stream.flush()
                os.fsync(self._stream.fileno())
                if self._spec.shape is None:
                    offsets = np.concatenate([[0], self._ends]).astype(np.int64)
                    np.save(self._directory / offsets_file(self._spec), offsets)
        finally:
            self._stream.close()

    def append(self, rows: np.ndarray | Sequence[np.ndarray]) -> None:
        """Append rows: [n, *shape], or n one-dimensional arrays of any length."""
        if self._spec.shape is None:
            for row in rows:
                values = np.ascontiguousarray(row, self._dtype)
                self._stream.write(values.data)
                self._count += len(values)
                self._ends.append(self._count)
            return
        assert isinstance(rows, np.ndarray), "rows of one shape come as one array"
        if rows.dtype != self._dtype or rows.shape[1:] != self._spec.shape:
            rule = f"must be {self._dtype} {self._spec.shape}"
            raise ValueError(f"rows of {self._spec.name} are {rows.dtype} {rows.shape[1:]}, but {rule}")
        self._stream.write(np.ascontiguousarray(rows).data)
        self._count += len(rows)

    def _write_header(self) -> None:
        # numpy leaves room in the header for the first dimension to grow, so the length may be filled in afterwards.
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self._count, *(self._spec.shape or ()))}
        np.lib.format.write_array_header_1_0(self._stream, header)


@contextmanager
def column_writers(directory: Path, storage: StorageSpec) -> Iterator[dict[str, ColumnWriter]]:
    """A writer for every column; their files are whole when the block has ended without an error."""
    with ExitStack() as stack:
        yield {spec.name: stack.enter_context(ColumnWriter(directory, spec)) for spec in storage.columns}


def write_rows(directory: Path, rows: Rows, origin: Origin) -> None:
    """Write everything but the columns, the manifest last."""
    np.save(directory / TARGETS, rows.targets)
    np.save(directory / SPLITS, rows.splits.astype(np.uint8))
    if rows.weights is not None:
        np.save(directory / WEIGHTS, rows.weights)
    _write_table(directory / ROWS, len(rows.ids), partial(_known, rows))
    if rows.signs:
        _write_table(directory / SIGNS, len(rows.ids), partial(_signs, rows))
    write_json(directory / MANIFEST, _manifest(directory, rows, origin))


def _write_table(path: Path, count: int, part: Callable[[slice], pa.Table]) -> None:
    """Some rows after the others: all of them as Arrow has them, and encoded, would be held at once."""
    first = part(slice(0, _ROWS_A_PART))
    with pq.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for start in range(_ROWS_A_PART, count, _ROWS_A_PART):
            writer.write_table(part(slice(start, start + _ROWS_A_PART)))


def _known(rows: Rows, part: slice) -> pa.Table:
    """What is known of some rows."""
    contents = pa.array(rows.contents[part]).cast(pa.string())
    columns = {"id": pa.array(rows.ids[part], pa.string()), "split": rows.splits[part], "sha256": contents}
    if rows.groups is not None:
        columns["group"] = pa.array(rows.groups[part], pa.string())
    if rows.versions is not None:
        texts = {"version": rows.versions, "remark": rows.remarks}
        columns |= {name: pa.array(values[part], pa.string()) for name, values in texts.items()}
    if rows.copies is not None:
        columns["copies"] = rows.copies[part]
    return pa.table(columns)


def _signs(rows: Rows, part: slice) -> pa.Table:
    """What was seen in some samples."""
    return pa.table({name: _sign(values[part]) for name, values in rows.signs.items()})


def _sign(values: np.ndarray) -> pa.Array:
    """Numbers or texts, one for each sample or as many for each."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def keep_rows(directory: Path, storage: StorageSpec, kept: np.ndarray) -> None:
    """Write the columns of a dataset anew with some of their rows.

    Args:
        directory: of the dataset that is being made.
        storage: of the columns.
        kept: bool [N].
    """
    columns, scratch = stored_columns(directory, storage.columns), directory / "kept"
    scratch.mkdir()
    with column_writers(scratch, storage) as writers:
        for rows in np.array_split(np.flatnonzero(kept), max(1, int(kept.sum()) // _ROWS_AT_ONCE)):
            for name, column in columns.items():
                writers[name].append(column.take(rows) if isinstance(column, Ragged) else column[rows])
    for path in scratch.iterdir():
        path.replace(directory / path.name)
    scratch.rmdir()


def fingerprint(rows: Rows, origin: Origin) -> str:
    """sha256 over the sorted contents with their targets, splits and weights, and the stored form.

    Paths, order and times do not enter: the same data in another place has the same fingerprint.
    """
    # As `repr` wrote it when the stored form was an object of its own.
    head = f"({_FINGERPRINT_FORMAT}, {origin.storage.identity}, {origin.names!r})"
    digest = hashlib.sha256(head.encode())
    contents = rows.contents
    order, firsts = equal_runs(contents)
    for start, stop in pairwise(np.append(firsts, len(order))):
        lines = sorted(_line(rows, contents[row], row) for row in order[start:stop].tolist())
        digest.update("".join(lines).encode())
    return digest.hexdigest()


def _line(rows: Rows, content: bytes, row: int) -> str:
    """What the fingerprint knows of a row."""
    line = f"{content.decode()} {rows.targets[row].tolist()} {int(rows.splits[row])}"
    return f"{line}\n" if rows.weights is None else f"{line} {float(rows.weights[row])!r}\n"


def cross_split_duplicates(rows: Rows) -> int:
    """How many different contents lie in more than one split."""
    order, firsts = equal_runs(rows.contents)
    if not len(order):
        return 0
    splits = rows.splits[order]
    return int(np.sum(np.minimum.reduceat(splits, firsts) != np.maximum.reduceat(splits, firsts)))


def _manifest(directory: Path, rows: Rows, origin: Origin) -> dict[str, object]:
    signs = [SIGNS] * bool(rows.signs) + [WEIGHTS] * (rows.weights is not None)
    stored = STREAMED if origin.is_streamed else origin.storage.columns
    files = [directory / name for name in (*files_of(stored), *signs)]
    examined = origin.findings is not None
    return {
        "format": FORMAT,
        **({"streamed": True} if origin.is_streamed else {}),
        "targets": {
            "task": origin.task,
            "names": list(origin.names),
            "facts": dict(origin.facts),
            "counts": dict(origin.counts),
        },
        "counts": {split.name.lower(): int(np.sum(rows.splits == split)) for split in Split},
        "fingerprint": fingerprint(rows, origin),
        "storage": asdict(origin.storage),
        "decoding": origin.decoding,
        "source": origin.source,
        "quarantine": [asdict(entry) for entry in origin.quarantine],
        "remarks": dict(origin.remarks),
        "findings": [one.to_dict() for one in origin.findings or ()] if examined else None,
        "dropped": [asdict(entry) for entry in origin.dropped],
        "cross_split_duplicates": cross_split_duplicates(rows),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": file_digest(path)} for path in files},
    }
