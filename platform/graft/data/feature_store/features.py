"""Where features come from (`Produce`: this process, or a Ray cluster), and how a reader sees them (`Features`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from graft.data.feature_store.gather import Gather
from graft.data.feature_store.key import StorageType
from graft.data.feature_store.locks import Lock
from graft.data.feature_store.manifest import Manifest
from graft.data.feature_store.shards import STORED, decode

Extract = Callable[[int, int], np.ndarray]
"""Computes the features of the rows from `start` up to, not including, `stop`: floats [stop - start, *shape]."""

ExtractorFactory = Callable[[], Extract]
"""Makes an `Extract` where it will be used; picklable, so what it needs (a network) is loaded there, once."""


class Produce(Protocol):
    """Gives the features of a range of rows."""

    def __call__(self, start: int, stop: int) -> Iterable[np.ndarray]:
        """Floats [n, *shape], one chunk after another; together they are rows `start` up to, not including, `stop`.

        It is asked for all rows at once, or, after damage, for the rows of one file; what it gives is taken one chunk
        at a time, so a generator needs memory for one only. If it has `close`, that is called in the end.
        """


def in_process(extract: Extract, batch_size: int) -> Produce:
    """Computes here, batch by batch.

    Raises:
        ValueError: a batch has no rows.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, but must be >= 1")

    def produce(start: int, stop: int) -> Iterator[np.ndarray]:
        for first in range(start, stop, batch_size):
            yield extract(first, min(first + batch_size, stop))

    return produce


if TYPE_CHECKING:
    from torch import Tensor

_CLOSED = "the features are closed; open them again"


@dataclass(frozen=True)
class Work:
    """What it took to have the features.

    Attributes:
        kind: they were there (``hit``), copied from the shared store (``fetched``), computed (``built``), or computed
            where they were damaged (``repaired``).
        rows: computed.
        bytes: written to this node's disk.
        seconds: of computing or copying, by this caller.
        waited: seconds until another builder had ended.
        unshared: why the shared store did not take them; None if it did, or there is none.
    """

    kind: Literal["hit", "fetched", "built", "repaired"] = "hit"
    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    unshared: str | None = None


class Features:
    """Rows of features over memory maps; many readers on a node share one copy in memory.

    While it is open, the features are not evicted. If their files are deleted all the same, it goes on working.

    Args:
        manifest: what they are.
        arrays: [n, *shape] as stored, one for each shard.
        use: the lock that says so; let go in the end.
        work: what it took to have them.
    """

    def __init__(self, manifest: Manifest, arrays: Sequence[np.ndarray], use: Lock, work: Work) -> None:
        self.manifest = manifest
        self.work = work
        self._arrays: tuple[np.ndarray, ...] | None = tuple(arrays)
        self._rows: Gather | None = Gather(self._arrays, manifest.shard_rows, manifest.shape)
        self._use = use

    def __enter__(self) -> Features:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return self.manifest.rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row."""
        return self.manifest.shape

    @property
    def dtype(self) -> StorageType:
        """How a number is stored."""
        return self.manifest.key.dtype

    def close(self) -> None:
        """Let go of them: they may be evicted now. Arrays that were handed out stay valid."""
        self._arrays = self._rows = None
        self._use.close()

    def rows(self, indices: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        """Some rows, in the order asked for.

        Args:
            indices: a slice, or int [n]; negative ones count from the end.

        Returns:
            [n, *shape]: float32 or float16 as stored, bfloat16 as float32. A slice within one shard is a read-only view
            of the file, without a copy (but for bfloat16); everything else is a new array.

        Raises:
            IndexError: a row is out of range.
            ValueError: it is closed.
        """
        view = self._view(indices) if isinstance(indices, slice) else None
        return decode(self._gather(indices) if view is None else view, self.dtype)

    def tensor(self, indices: slice | Sequence[int] | np.ndarray) -> Tensor:
        """Some rows as a new tensor [n, *shape] of the stored type, bfloat16 included; see `rows`."""
        import torch

        stored = torch.from_numpy(self._gather(indices))
        return stored.view(torch.bfloat16) if self.dtype == "bfloat16" else stored

    def pieces(self) -> Iterator[tuple[int, np.ndarray]]:
        """All rows in order, as (first row, array) of each shard; a view of the file, as a slice in `rows` is."""
        for shard, array in zip(self.manifest.shards, self._open(), strict=True):
            yield shard.start, decode(array, self.dtype)

    def _open(self) -> tuple[np.ndarray, ...]:
        if self._arrays is None:
            raise ValueError(_CLOSED)
        return self._arrays

    def _view(self, indices: slice) -> np.ndarray | None:
        """The rows of a slice without a copy; None where that is impossible."""
        start, stop, step = indices.indices(len(self))
        per = self.manifest.shard_rows
        if step != 1 or start >= stop or start // per != (stop - 1) // per:
            return None
        first = start // per * per
        return self._open()[start // per][start - first : stop - first]

    def _gather(self, indices: slice | Sequence[int] | np.ndarray) -> np.ndarray:
        wanted = _row_numbers(indices, len(self))
        if not len(wanted):
            return np.empty((0, *self.shape), STORED[self.dtype])
        if self._rows is None:
            raise ValueError(_CLOSED)
        return self._rows(wanted)


def _row_numbers(indices: slice | Sequence[int] | np.ndarray, count: int) -> np.ndarray:
    if isinstance(indices, slice):
        return np.arange(count)[indices]
    wanted = np.asarray(indices)
    if wanted.size == 0:
        return np.empty(0, np.int64)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
        raise IndexError(f"rows are {wanted.dtype} {wanted.shape}, but must be whole numbers in one dimension")
    least, most = wanted.min(), wanted.max()
    if least < -count or most >= count:
        raise IndexError(f"rows {least} to {most} are asked for, but there are {count}")
    wanted = wanted.astype(np.int64, copy=False)
    return wanted if least >= 0 else np.where(wanted < 0, wanted + count, wanted)
