"""Gathers chunks of any length into shards of equal length; holds one shard in memory, however many rows there are."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graft.data.feature_store.key import StorageType
from graft.data.feature_store.locks import write_errors_are_clear
from graft.data.feature_store.manifest import Shard, bounds
from graft.data.feature_store.shards import STORED, encode, write_shard

SHARD_BYTES = 64 * 1024**2

OnRows = Callable[[int, int], None]
"""Told how many rows of how many are written."""


@dataclass(frozen=True)
class Layout:
    """How rows lie in shards.

    Attributes:
        shape: of one row; () is a single number.
        rows: how many.
        dtype: how a number is stored.
        shard_rows: rows of a shard.
    """

    shape: tuple[int, ...]
    rows: int
    dtype: StorageType
    shard_rows: int

    @classmethod
    def of(cls, shape: tuple[int, ...], rows: int, dtype: StorageType, shard_bytes: int = SHARD_BYTES) -> "Layout":
        """Shards of as many rows as fit in `shard_bytes`, at least one."""
        if rows < 0 or any(side < 1 for side in shape):
            raise ValueError(f"features are {rows} rows of {shape}, but must be >= 0 rows of sides >= 1")
        row_bytes = STORED[dtype].itemsize * math.prod(shape)
        return cls(tuple(shape), rows, dtype, max(1, shard_bytes // row_bytes))

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return STORED[self.dtype].itemsize * math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of all rows, with what Arrow writes around them."""
        return self.rows * self.row_bytes + len(bounds(self.rows, self.shard_rows)) * _OVERHEAD


_OVERHEAD = 2048


def write_shards(
    directory: Path, layout: Layout, chunks: Iterable[np.ndarray], rows: tuple[int, int], on_rows: OnRows
) -> Iterator[Shard]:
    """Write rows into shards, and give each one when it is on the disk.

    Args:
        directory: where to.
        layout: how they lie.
        chunks: [n, *shape] each, together exactly these rows.
        rows: first, and one past the last; they begin and end at borders of shards.
        on_rows: told after every chunk.

    Raises:
        NotStored: the disk is full, or the directory was removed.
        ValueError: there are more or fewer rows than promised, or of another shape.
        SpecError: a value is too large for the type.
    """
    start, stop = rows
    pending = _Pending(layout, start, stop)
    for chunk in chunks:
        for full in pending.add(chunk):
            yield _write(directory, layout, full, pending.array)
        on_rows(pending.row - start, stop - start)
    if pending.row != stop:
        raise ValueError(f"features of {pending.row - start} rows were produced, but {stop - start} were promised")


class _Pending:
    """The rows that are not yet written."""

    def __init__(self, layout: Layout, start: int, stop: int) -> None:
        self._layout, self._stop = layout, stop
        self._first, self.row = start, start
        self.array = np.empty((min(layout.shard_rows, stop - start), *layout.shape), STORED[layout.dtype])

    def add(self, chunk: np.ndarray) -> Iterator[tuple[int, int]]:
        """Take a chunk; gives the rows of each shard when it is full, and goes on when it has been written."""
        if chunk.shape[1:] != self._layout.shape:
            raise ValueError(f"features have shape {chunk.shape[1:]}, but {self._layout.shape} was promised")
        if self.row + len(chunk) > self._stop:
            raise ValueError(f"features of more than {self._stop} rows were produced, but no more were promised")
        while len(chunk):
            end = min(self._first + self._layout.shard_rows, self._stop)
            taken = min(len(chunk), end - self.row)
            at = self.row - self._first
            self.array[at : at + taken] = encode(chunk[:taken], self._layout.dtype)
            self.row += taken
            chunk = chunk[taken:]
            if self.row == end:
                yield self._first, end
                self._first = end


def _write(directory: Path, layout: Layout, rows: tuple[int, int], array: np.ndarray) -> Shard:
    start, stop = rows
    scratch = directory / f".{start:09d}.part"
    try:
        with write_errors_are_clear(directory):
            scratch.unlink(missing_ok=True)
            size, digest = write_shard(scratch, array[: stop - start], layout.dtype)
            # The digest is in the name, so a manifest never names a file that was written for another manifest.
            file = f"{start:09d}-{digest[:12]}.arrow"
            scratch.rename(directory / file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    return Shard(file, start, stop, size, digest)
