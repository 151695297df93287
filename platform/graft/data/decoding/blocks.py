"""Chunks of samples, and what decoding makes of one: a mapping of arrays that can cross processes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.decoding.ahead import decoded
from graft.data.listing import Decoder
from graft.data.plan import Ingestion, IngestPlan
from graft.data.remote.address import is_remote_source

BLOCK_BYTES = 16 * 1024**2
MAX_BLOCK_ROWS = 512
MAX_REMOTE_ROWS = 128
"""A block that a slow store fills must be done before Ray takes it for stuck."""


def decode_block(table: pa.Table, decoder: Decoder, storage: StorageSpec) -> dict[str, Any]:
    """Decode the samples of one block; runs on any machine of the cluster.

    Args:
        table: one row for each chunk of samples, as `chunks_of` has it.
        decoder: turns sources into columns.
        storage: the form wanted.

    Returns:
        `position`, `sha256` (hex), `reason` (empty if readable), `kind` (of finding that it is), `passing` (whether
        that may be gone the next time), `remark` (what was assumed), each column of the samples: [n, *shape], or the
        bytes of each row where rows are of any length, and each sign of them.
    """
    chunks = [(chunk["start"], _sources_of(chunk)) for chunk in table.to_pylist()]
    positions = [start + offset for start, sources in chunks for offset in range(len(sources))]
    sources = [source for _, sources in chunks for source in sources]
    block = decoded(decoder, sources)
    places = range(len(positions))
    return {
        "position": np.array(positions, dtype=np.int64),
        "sha256": np.array(block.digests, dtype=object),
        "reason": np.array(block.reasons, dtype=object),
        "kind": np.array([block.kinds.get(place, "unreadable") for place in places], dtype=object),
        "passing": np.array([place in block.passing for place in places]),
        "remark": np.array([block.remarks.get(place, "") for place in places], dtype=object),
        **{f"column_{spec.name}": shipped(spec, block.columns[spec.name]) for spec in storage.columns},
        **{f"{SIGN}{name}": values for name, values in block.signs.items()},
    }


SIGN = "sign_"


def received(spec: ColumnSpec, rows: np.ndarray) -> Any:
    """A column of a block as its writer takes it."""
    return rows if spec.shape is not None else [np.frombuffer(row, spec.dtype) for row in rows]


def chunks_of(plan: IngestPlan) -> list[dict[str, Any]]:
    """What becomes one block each: bounded in bytes before and after decoding.

    Returns:
        For each: `start` (position of its first sample), `sources` (joined), and `ends` (uint64 of each, as bytes): an
        object for each sample would be most of what the driver holds.
    """
    sources = plan.listing.sources
    shapes = [(spec, spec.shape or ()) for spec in plan.storage.columns]
    stored = sum(math.prod(shape) * np.dtype(spec.dtype).itemsize for spec, shape in shapes)
    row_bytes = max(stored, len(sources[0]), 1)
    most = MAX_REMOTE_ROWS if is_remote_source(sources[0]) else MAX_BLOCK_ROWS
    step = min(max(BLOCK_BYTES // row_bytes, 1), most)
    starts = range(0, len(plan.rows), step)
    return [_chunk(start, [sources[int(row)] for row in plan.rows[start : start + step]]) for start in starts]


def _chunk(start: int, sources: Sequence[bytes]) -> dict[str, Any]:
    ends = np.cumsum([len(source) for source in sources], dtype=np.uint64)
    return {"start": start, "sources": b"".join(sources), "ends": ends.tobytes()}


def _sources_of(chunk: Mapping[str, Any]) -> list[bytes]:
    ends = np.frombuffer(chunk["ends"], dtype=np.uint64).tolist()
    return [chunk["sources"][begin:end] for begin, end in pairwise([0, *ends])]


def local_blocks(work: Ingestion) -> Iterator[dict[str, Any]]:
    """Decoded blocks in the order of the rows, made in this process: for few samples that is sooner than Ray starts."""
    for chunk in chunks_of(work.plan):
        yield decode_block(pa.Table.from_pylist([chunk]), work.decoder, work.plan.wanted)


def shipped(spec: ColumnSpec, rows: np.ndarray | list[np.ndarray]) -> Any:
    """Rows as Arrow takes them; those of any length as their bytes."""
    if spec.shape is not None:
        return rows
    shipped = np.empty(len(rows), dtype=object)
    shipped[:] = [np.ascontiguousarray(row, spec.dtype).tobytes() for row in rows]
    return shipped
