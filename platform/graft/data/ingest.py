"""Ingest: list, decode once through Ray Data, keep as arrays that every trial and every later run shares.

The directory's name is a digest of what was listed and how it is wanted, so unchanged data is found again without
decoding anything. Unreadable files become rows with a reason instead of errors: Ray Data's own tolerance for errors
would drop the whole block, good rows included. A file that cannot be had at the moment is left out of this dataset
only: the dataset gets a name of its own, so the next ingest does not find it and looks again.
"""

import contextlib
import math
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
import ray.exceptions
from ray.data import DataContext
from ray.data.exceptions import ExecutionTimeoutError

from graft.core.errors import ArtifactError, DataError, ResourceError
from graft.core.passing_errors import is_used_up, used_up
from graft.core.storage import canonical_json, new_directory, text_digest
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.dataset import Dataset, Quarantined, open_dataset
from graft.data.listing import Decoder
from graft.data.plan import Ingestion, IngestPlan, check_quarantine, counts_of, facts_of
from graft.data.store import Origin, Rows, column_writers, write_rows
from graft.data.targets import Targets
from graft.journal.locking import exclusive

OnProgress = Callable[[int, int], None]
"""Told how many samples of how many are done."""

NO_PROGRESS_TIMEOUT_S = 300
"""Ray Data without a free CPU waits silently; after this long it is an error."""

_BLOCK_BYTES = 16 * 1024**2
_MAX_BLOCK_ROWS = 512


@dataclass(frozen=True)
class _Decoded:
    """What came back: rows that could be read, their digests, why others could not, what was assumed how often."""

    readable: np.ndarray
    digests: tuple[str, ...]
    quarantine: tuple[Quarantined, ...]
    remarks: Mapping[str, int]


def ingest(work: Ingestion, cache: Path, on_progress: OnProgress | None = None) -> Dataset:
    """Turn the user's data into a dataset in the cache, or find the one that is there already.

    Ray must have been initialised and have a free CPU. Of several processes that ask for the same dataset, one builds
    it and the others wait. A process killed in the middle leaves nothing that could be taken for a dataset.

    Args:
        work: what is to be decoded, and how.
        cache: directory of all datasets (`Home.datasets`).
        on_progress: told after each block how many samples of how many are done.

    Raises:
        DataError: too many samples are unreadable, or a split has lost what the task needs.
        ResourceError: too many cannot be had at the moment, the disk is full, or Ray has no CPU or memory for it.
    """
    target = cache / work.plan.key
    with _one_builder(target):
        dataset = _cached(target) or _build(work, target, on_progress or _silent)
    check_quarantine(dataset.quarantine, sum(dataset.counts.values()), work.max_unreadable)
    return dataset


def decode_block(table: pa.Table, decoder: Decoder, storage: StorageSpec) -> dict[str, Any]:
    """Decode the samples of one block; runs on any machine of the cluster.

    Args:
        table: one row for each chunk of samples: `start` (position of its first) and `sources` (list of binary).
        decoder: turns sources into columns.
        storage: the form wanted.

    Returns:
        `position`, `sha256` (hex), `reason` (empty if readable), `passing` (whether that may be gone the next time),
        `remark` (what was assumed), and each column of the samples: [n, *shape], or the bytes of each row where rows
        are of any length.
    """
    chunks = list(zip(table["start"].to_pylist(), table["sources"].to_pylist(), strict=True))
    positions = [start + offset for start, chunk in chunks for offset in range(len(chunk))]
    block = decoder([source for _, chunk in chunks for source in chunk])
    columns = {f"column_{spec.name}": _shipped(spec, block.columns[spec.name]) for spec in storage.columns}
    return {
        "position": np.array(positions, dtype=np.int64),
        "sha256": np.array(block.digests, dtype=object),
        "reason": np.array(block.reasons, dtype=object),
        "passing": np.array([place in block.passing for place in range(len(positions))]),
        "remark": np.array([block.remarks.get(place, "") for place in range(len(positions))], dtype=object),
        **columns,
    }


def _shipped(spec: ColumnSpec, rows: np.ndarray | list[np.ndarray]) -> Any:
    """Rows as Arrow takes them; those of any length as their bytes."""
    if spec.shape is not None:
        return rows
    shipped = np.empty(len(rows), dtype=object)
    shipped[:] = [np.ascontiguousarray(row, spec.dtype).tobytes() for row in rows]
    return shipped


def _received(spec: ColumnSpec, rows: np.ndarray) -> Any:
    """The inverse of `_shipped`."""
    return rows if spec.shape is not None else [np.frombuffer(row, spec.dtype) for row in rows]


def _build(work: Ingestion, target: Path, on_progress: OnProgress) -> Dataset:
    plan = work.plan
    passing: list[Quarantined] = []
    with new_directory(target, lambda: _name_of(target, passing)) as scratch:
        decoded = _decode_all(work, scratch, on_progress)
        passing += [entry for entry in decoded.quarantine if entry.passing]
        check_quarantine(decoded.quarantine, len(decoded.digests), work.max_unreadable)
        work.task.check_left(plan.targets, plan.splits, decoded.readable, plan.ids)
        kept = Targets(plan.targets.values[decoded.readable], plan.targets.names)
        splits = plan.splits[decoded.readable]
        ids = tuple(plan.listing.ids[int(row)] for row in plan.rows[decoded.readable])
        origin = Origin(
            source=plan.listing.source,
            names=kept.names,
            storage=plan.storage,
            quarantine=decoded.quarantine,
            task=work.task.spec.kind,
            facts=facts_of(work.task, kept, splits),
            counts=counts_of(work.task, kept, splits),
            remarks=decoded.remarks,
        )
        write_rows(scratch, Rows(ids, kept.values, splits, decoded.digests), origin)
    return open_dataset(_name_of(target, passing))


def _name_of(target: Path, passing: Sequence[Quarantined]) -> Path:
    """Where a dataset goes: under its key only if it holds all that the source has."""
    if not passing:
        return target
    lacking = text_digest(canonical_json([entry.path for entry in passing]))
    return target.with_name(f"{target.name}-without-{lacking[:12]}")


def _decode_all(work: Ingestion, directory: Path, on_progress: OnProgress) -> _Decoded:
    plan = work.plan
    readable = np.zeros(len(plan.rows), dtype=bool)
    digests: list[str] = []
    quarantine: list[Quarantined] = []
    remarks: Counter[str] = Counter()
    done = 0
    # Closing stops Ray's work at once when the writing fails or the user interrupts.
    source = contextlib.closing(_decoded_blocks(work))
    with column_writers(directory, plan.storage) as writers, _ray_errors_are_ours(), source as blocks:
        for block in blocks:
            positions, good = block["position"], block["reason"] == ""
            if not np.array_equal(positions, np.arange(done, done + len(positions))):
                raise RuntimeError(f"Ray Data returned rows {positions[:3]} where row {done} was due")
            for spec in plan.storage.columns:
                writers[spec.name].append(_received(spec, block[f"column_{spec.name}"][good]))
            digests += block["sha256"][good].tolist()
            quarantine += [
                Quarantined(plan.listing.ids[int(plan.rows[position])], str(reason), bool(passing))
                for position, reason, passing in zip(
                    positions[~good], block["reason"][~good], block["passing"][~good], strict=True
                )
            ]
            remarks.update(str(remark) for remark in block["remark"] if remark)
            readable[positions] = good
            done += len(positions)
            on_progress(done, len(plan.rows))
    if done != len(plan.rows):
        raise RuntimeError(f"Ray Data returned {done} rows of {len(plan.rows)}")
    return _Decoded(readable, tuple(digests), tuple(quarantine), dict(remarks))


def _decoded_blocks(work: Ingestion) -> Generator[dict[str, np.ndarray], None, None]:
    """Decoded blocks in the order of the rows, streamed: Ray's store never holds more than a few of them."""
    context = DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True  # what Ray makes of it loses what was raised
    context.execution_no_progress_timeout_s = NO_PROGRESS_TIMEOUT_S
    context.execution_options.preserve_order = True
    with DataContext.current(context):
        # Not from_arrow: it looks at the tables in a remote call, which waits for ever when no CPU is free.
        chunks = _chunks(work.plan)
        decoded = ray.data.from_items(chunks, override_num_blocks=len(chunks)).map_batches(
            decode_block,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            fn_kwargs={"decoder": work.decoder, "storage": work.plan.storage},
        )
        yield from decoded.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1)


def _chunks(plan: IngestPlan) -> list[dict[str, Any]]:
    """What becomes one block each: bounded in bytes before and after decoding."""
    sources = plan.listing.sources
    shapes = [(spec, spec.shape or ()) for spec in plan.storage.columns]
    stored = sum(math.prod(shape) * np.dtype(spec.dtype).itemsize for spec, shape in shapes)
    row_bytes = max(stored, len(sources[0]), 1)
    step = min(max(_BLOCK_BYTES // row_bytes, 1), _MAX_BLOCK_ROWS)
    starts = range(0, len(plan.rows), step)
    return [
        {"start": start, "sources": [sources[int(row)] for row in plan.rows[start : start + step]]} for start in starts
    ]


def _cached(target: Path) -> Dataset | None:
    if not target.exists():
        return None
    try:
        return open_dataset(target)
    except ArtifactError:
        # The source is still there, so a damaged cache entry is rebuilt instead of bothering the user.
        shutil.rmtree(target)
        return None


@contextlib.contextmanager
def _one_builder(target: Path) -> Iterator[None]:
    """Let one process at a time build this dataset, and clear what a killed one left of it."""
    with exclusive(target.parent / f"{target.name}.lock"):
        for scratch in target.parent.glob(f".{target.name}.*"):
            shutil.rmtree(scratch, ignore_errors=True)
        yield


@contextlib.contextmanager
def _ray_errors_are_ours() -> Iterator[None]:
    out_of = (ray.exceptions.OutOfMemoryError, ray.exceptions.ObjectStoreFullError, ray.exceptions.OutOfDiskError)
    try:
        yield
    except ExecutionTimeoutError as error:
        raise ResourceError(
            f"Ray decoded nothing for {NO_PROGRESS_TIMEOUT_S} s, but needs one free CPU; stop other work on the cluster"
        ) from error
    except out_of as error:
        first = str(error).strip().partition("\n")[0]
        raise ResourceError(
            f"Ray ran out of memory or disk while decoding ({first}); free some and try again"
        ) from error
    except ray.exceptions.RayTaskError as error:
        raised = error.cause
        if isinstance(raised, DataError | ResourceError):
            raise type(raised)(str(raised).partition("\n")[0]) from error  # Ray adds lines of its own
        if is_used_up(raised):
            raise used_up("a sample", raised) from error
        raise


def _silent(done: int, total: int) -> None:
    return None
