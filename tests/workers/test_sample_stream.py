import hashlib
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import ray

from graft.core.errors import DataError, ResourceError
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.listing import DecodedBlock
from graft.data.store import column_writers
from graft.data.streaming.samples import STREAMED, Samples
from graft.workers import sample_stream as module
from graft.workers.sample_stream import Feed, Pass, sample_stream

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]

ROWS = 60
PAIR = ColumnSpec("pixels", "uint8", (2,))


@dataclass(frozen=True)
class Pairs:
    """A source is the sample itself."""

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        pixels = np.frombuffer(b"".join(sources), np.uint8).reshape(-1, 2)
        digests = [hashlib.sha256(source).hexdigest() for source in sources]
        return DecodedBlock({"pixels": pixels}, digests, [""] * len(sources))


@pytest.fixture
def samples(tmp_path: Path, monkeypatch) -> Samples:
    """Sixty samples [0, 0], [1, 2], …; decoded seven at a time."""
    monkeypatch.setattr(module, "rows_of_a_block", lambda row_bytes: 7)
    contents = [bytes([row, 2 * row]) for row in range(ROWS)]
    with column_writers(tmp_path, StorageSpec("image", STREAMED)) as writers:
        writers["sources"].append([np.frombuffer(content, np.uint8) for content in contents])
        digests = b"".join(hashlib.sha256(content).digest() for content in contents)
        writers["sha256"].append(np.frombuffer(digests, np.uint8).reshape(-1, 32))
    return Samples(tmp_path, PAIR, Pairs())


def batches_of(order: np.ndarray, size: int) -> list[np.ndarray]:
    return [order[start : start + size] for start in range(0, len(order), size)]


def test_one_process_gets_its_rows_in_its_order_pass_after_pass(samples):
    stream = sample_stream(0, 1, str)
    assert stream is not None
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(ROWS)
        found = np.concatenate(list(stream(samples, [batches_of(order, 8)], 0)))
        assert found.tolist() == [[row, 2 * row] for row in order]


def test_a_pass_that_is_left_early_makes_way_for_the_next(samples):
    stream = sample_stream(0, 1, str)
    assert stream is not None
    with closing(stream(samples, [batches_of(np.arange(ROWS), 8)], 0)) as blocks:
        assert next(blocks)[:2].tolist() == [[0, 0], [1, 2]]
    assert len(np.concatenate(list(stream(samples, [[np.arange(9)]], 0)))) == 9
    assert list(stream(samples, [[]], 0)) == []


def test_ranks_share_a_pipeline_and_each_gets_its_own(samples):
    """As two processes do, each in its own thread."""
    names: list[str] = []
    streams = [
        sample_stream(rank, 2, lambda said: (names.append(said) if said else None) or names[0]) for rank in (0, 1)
    ]
    order = np.random.default_rng(0).permutation(ROWS)
    reading = [[batch[:5] for batch in batches_of(order, 8)], [batch[5:] for batch in batches_of(order, 8)]]
    found: dict[int, list[list[int]]] = {}

    def read(rank: int) -> None:
        stream = streams[rank]
        assert stream is not None
        for _ in range(2):
            found[rank] = np.concatenate(list(stream(samples, reading, rank))).tolist()

    threads = [threading.Thread(target=read, args=(rank,)) for rank in (1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rank in (0, 1):
        assert found[rank] == [[row, 2 * row] for row in np.concatenate(reading[rank]).tolist()]


def test_a_sample_that_has_changed_ends_the_pass(samples):
    sources = np.load(samples.directory / "sources.npy", mmap_mode="r+")
    sources[2 * 33] = 99
    sources.flush()
    (samples.directory / "rows.parquet").write_bytes(_ids(samples.directory))
    stream = sample_stream(0, 1, str)
    assert stream is not None
    with pytest.raises(DataError, match=r"^row-33 has changed since ingest"):
        list(stream(samples, [batches_of(np.arange(ROWS), 8)], 0))


def test_a_rank_that_takes_nothing_is_not_waited_for_for_ever(samples, monkeypatch):
    monkeypatch.setattr(module, "NO_PROGRESS_TIMEOUT_S", 0.1)
    monkeypatch.setattr(module, "MOST_WAITING", 1)
    feed = Feed(2)
    feed.start(0, Pass.of(samples, [[np.arange(30)], [np.arange(30)]]))
    assert ray.get(feed.take(0, 0)[0]).num_rows == 7
    with pytest.raises(ResourceError, match="asked for no samples"):
        deque((feed.take(0, 0) for _ in range(9)), maxlen=0)


def _ids(directory: Path) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": [f"row-{row}" for row in range(ROWS)]}), directory / "ids.parquet")
    return (directory / "ids.parquet").read_bytes()
