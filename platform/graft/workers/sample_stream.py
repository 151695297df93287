"""Streams decoded samples to the processes that train: one Ray Data pipeline for all ranks of a training.

Blocks come in the order in which the ranks need them, so every rank gets the samples of its batches and no other: all
ranks have as many steps, and a streamed epoch is the stored one. Ray Data decodes ahead until what it has decoded waits
to be taken, and no further.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import ray
import ray.data
from ray.data import DataContext
from ray.data.block import BlockAccessor
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from graft.core.errors import ResourceError
from graft.data.streaming.ray_data import NO_PROGRESS_TIMEOUT_S, decoding_context, ray_errors_are_ours
from graft.data.streaming.reading import Block, Reading, blocks_of, rows_of_a_block
from graft.data.streaming.samples import ReadAhead, Samples
from graft.workers.remote import to_graft_error

MOST_BYTES = 256 * 1024**2
"""Of decoded samples of one training that wait in the object store."""
MOST_WAITING = 4
"""Blocks that wait for one rank while another gets its own."""
_SAMPLES = "samples"
_NAMESPACE = "graft-streams"


@dataclass(frozen=True)
class Pass:
    """What is decoded for one epoch, or one evaluation.

    Attributes:
        samples: of the dataset.
        rows: int64 [N], of all blocks, in the order in which they are due.
        ends: int64 [blocks], where each block ends in them.
        ranks: int64 [blocks], whom each is for.
    """

    samples: Samples
    rows: np.ndarray
    ends: np.ndarray
    ranks: np.ndarray

    @classmethod
    def of(cls, samples: Samples, reading: Reading) -> "Pass":
        """Of what all ranks are going to ask for."""
        blocks: list[Block] = blocks_of(reading, rows_of_a_block(_row_bytes(samples)))
        rows = np.concatenate([block.rows for block in blocks] or [np.empty(0, np.int64)])
        ends = np.cumsum([len(block.rows) for block in blocks], dtype=np.int64)
        return cls(samples, rows, ends, np.array([block.rank for block in blocks], dtype=np.int64))

    def decode(self, block: int) -> np.ndarray:
        """The samples of a block."""
        start = self.ends[block - 1] if block else 0
        return self.samples.decode(self.rows[start : self.ends[block]])

    def blocks(self) -> Iterator[Any]:
        """References to the decoded blocks, in order, decoded ahead of whoever takes them; empty of no blocks."""
        if not len(self.ends):
            return
        context = decoding_context()
        largest = 2 * _row_bytes(self.samples) * int(np.diff(self.ends, prepend=0).max())
        context.target_max_block_size = max(largest, 1024**2)  # no block is ever split
        options = context.execution_options
        options.resource_limits = options.resource_limits.copy(object_store_memory=max(MOST_BYTES, 4 * largest))
        with DataContext.current(context):
            count = len(self.ends)
            # Ray Data spreads its tasks, so a trial's placement group, which holds what it trains with, takes none in.
            decoded = ray.data.range(count, override_num_blocks=count).map_batches(
                decode_block,
                batch_size=None,
                batch_format="numpy",
                num_cpus=1,
                fn_kwargs={"work": self},
            )
            bundles = decoded.iter_internal_ref_bundles()
        for bundle in bundles:
            yield from bundle.block_refs


def decode_block(batch: dict[str, np.ndarray], work: Pass) -> dict[str, np.ndarray]:
    """Decode one block; runs on any machine of the cluster that has a CPU to spare."""
    return {_SAMPLES: work.decode(int(batch["id"][0]))}


class _Open:
    """A pass that is being read: what is decoded, and what waits for whom."""

    def __init__(self, work: Pass, size: int) -> None:
        self._blocks, self._due = work.blocks(), deque(work.ranks.tolist())
        self.waiting: dict[int, deque[Any]] = {rank: deque() for rank in range(size)}

    @property
    def is_over(self) -> bool:
        """Whether nothing more is going to be decoded."""
        return not self._due

    @property
    def is_full(self) -> bool:
        """Whether the next block is for a rank for which enough of them wait."""
        return bool(self._due) and len(self.waiting.get(self._due[0], ())) >= MOST_WAITING

    def decode_next(self) -> None:
        """Wait for the next block; nobody keeps it if its rank has left."""
        block, rank = next(self._blocks, None), self._due.popleft()
        if block is None:
            raise RuntimeError(f"Ray Data returned {len(self._due) + 1} blocks too few")
        if rank in self.waiting:
            self.waiting[rank].append(block)


class Feed:
    """Hands the blocks of a pass to the ranks that they are for, as fast as the slowest of them takes its own.

    Args:
        size: how many ranks there are.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._changed = threading.Condition()
        self._open: dict[int, _Open] = {}

    def start(self, number: int, work: Pass) -> None:
        """Begin a pass."""
        with self._changed:
            self._open[number] = _Open(work, self._size)
            self._changed.notify_all()

    def take(self, number: int, rank: int) -> list[Any]:
        """A reference to the next block of a rank, in a list so that Ray does not follow it; empty at the end.

        Raises:
            ResourceError: Ray has no CPU or memory to decode with, or another rank takes nothing any more.
            DataError: a sample is gone, or has changed.
        """
        with self._changed, ray_errors_are_ours():
            self._wait(lambda: number in self._open)
            reading = self._open[number]
            mine = reading.waiting[rank]
            while not mine and not reading.is_over:
                if reading.is_full:
                    self._wait(lambda: bool(mine) or not reading.is_full)
                else:
                    reading.decode_next()
                    self._changed.notify_all()
            self._changed.notify_all()
            return [mine.popleft()] if mine else []

    def end(self, number: int, rank: int) -> None:
        """A rank leaves a pass; when all have left it, nothing more is decoded for it."""
        with self._changed:
            self._wait(lambda: number in self._open)
            del self._open[number].waiting[rank]
            if not self._open[number].waiting:
                del self._open[number]
            self._changed.notify_all()

    def _wait(self, until: Callable[[], bool]) -> None:
        if not self._changed.wait_for(until, timeout=NO_PROGRESS_TIMEOUT_S):
            raise ResourceError(
                f"a process that trains has asked for no samples for {NO_PROGRESS_TIMEOUT_S} s, but all must go on "
                "together; see the Ray logs for what became of it"
            )


class _Here:
    """A feed in the only process that trains."""

    def __init__(self) -> None:
        self._feed = Feed(1)

    def start(self, number: int, work: Pass) -> None:
        self._feed.start(number, work)

    def blocks(self, number: int, rank: int) -> Iterator[Any]:
        while found := self._feed.take(number, rank):
            yield found[0]

    def end(self, number: int, rank: int) -> None:
        self._feed.end(number, rank)


class _Elsewhere:
    """A feed in a process of its own, which all ranks share; a rank asks for its next block before it uses the last."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def start(self, number: int, work: Pass) -> None:
        self._actor.start.remote(number, work)

    def blocks(self, number: int, rank: int) -> Iterator[Any]:
        asked = self._actor.take.remote(number, rank)
        while found := ray.get(asked):
            asked = self._actor.take.remote(number, rank)
            yield found[0]

    def end(self, number: int, rank: int) -> None:
        self._actor.end.remote(number, rank)


class _Stream:
    """What a process reads from: passes follow each other in the same order on all ranks."""

    def __init__(self, feed: _Here | _Elsewhere) -> None:
        self._feed, self._passes = feed, 0

    def __call__(self, samples: Samples, reading: Reading, rank: int) -> Generator[np.ndarray, None, None]:
        number, self._passes = self._passes, self._passes + 1
        if rank == 0:
            self._feed.start(number, Pass.of(samples, reading))
        try:
            for block in self._feed.blocks(number, rank):
                yield _array_of(ray.get(block))
        except RayError as error:
            raise to_graft_error(error) from error
        finally:
            self._feed.end(number, rank)


def sample_stream(rank: int, size: int, broadcast: Callable[[str], str]) -> ReadAhead | None:
    """What decodes ahead for the ranks that train together; None without Ray: then each decodes for itself.

    Args:
        rank: which of them this is.
        size: how many there are; each calls this.
        broadcast: gives every rank what rank 0 says.
    """
    if not ray.is_initialized():
        return None
    if size == 1:
        return _Stream(_Here())
    actor = None
    name = ""
    if rank == 0:
        name = f"stream-{uuid4().hex}"
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        options = {"name": name, "namespace": _NAMESPACE, "num_cpus": 0, "max_concurrency": 2 * size + 2}
        actor = ray.remote(Feed).options(**options, scheduling_strategy=here).remote(size)
    name = broadcast(name)
    # The actor lives as long as the handle of the rank that has made it.
    return _Stream(_Elsewhere(actor or ray.get_actor(name, _NAMESPACE)))


def _row_bytes(samples: Samples) -> int:
    return int(np.prod(samples.column.shape or (1,))) * np.dtype(samples.column.dtype).itemsize


def _array_of(block: Any) -> np.ndarray:
    array: np.ndarray = BlockAccessor.for_block(block).to_numpy(_SAMPLES)
    return array
