"""Ingest: list, decode once through Ray Data, keep as arrays that every trial and every later run shares.

The directory's name is a digest of what was listed and how it is wanted, so unchanged data is found again without
decoding anything; where samples were appended, only those are decoded. Unreadable files become rows with a reason
instead of errors: Ray Data's own tolerance for errors would drop the whole block, good rows included. A file that
cannot be had at the moment is left out of this dataset only: the dataset gets a name of its own, so the next ingest
does not find it and looks again.
"""

import contextlib
import shutil
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import ray.data
from ray.data import DataContext

from graft.core.errors import ArtifactError
from graft.core.storage import canonical_json, new_directory, text_digest
from graft.core.stores.copy import bring_tree, publish_tree
from graft.data.dataset import Dataset, Quarantined, open_dataset
from graft.data.decoding.blocks import chunks_of, decode_block
from graft.data.decoding.clean import clean
from graft.data.decoding.collect import Decoded, OnProgress, collect
from graft.data.decoding.reuse import Known, NotAlike, known_rows, with_known
from graft.data.plan import Ingestion, IngestPlan, check_quarantine, counts_of, facts_of
from graft.data.store import Origin, write_rows
from graft.data.streaming.ray_data import decoding_context, ray_errors_are_ours
from graft.data.targets import Targets
from graft.journal.locking import exclusive


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
    target = cache / work.plan.name
    with _one_builder(target):
        dataset = _cached(target, work) or _build(work, target, on_progress or _silent)
    check_quarantine(dataset.quarantine, sum(dataset.counts.values()), work.max_unreadable)
    return dataset


def _build(work: Ingestion, target: Path, on_progress: OnProgress) -> Dataset:
    plan = work.plan
    passing: list[Quarantined] = []
    with new_directory(target, lambda: _name_of(target, passing)) as scratch:
        decoded = _decode_all(work, known_rows(plan, target.parent), scratch, on_progress)
        passing += [entry for entry in decoded.quarantine if entry.passing]
        check_quarantine(decoded.quarantine, len(decoded.digests), work.max_unreadable)
        cleaned = clean(work, decoded, scratch)
        rows, targets = cleaned.rows, Targets(cleaned.rows.targets, plan.targets.names)
        origin = Origin(
            source=plan.listing.source,
            names=targets.names,
            storage=plan.storage,
            quarantine=decoded.quarantine,
            task=work.task.spec.kind,
            facts=facts_of(work.task, targets, rows.splits),
            counts=counts_of(work.task, targets, rows.splits),
            remarks=decoded.remarks,
            findings=cleaned.findings,
            dropped=cleaned.dropped,
            is_streamed=plan.is_streamed,
            decoding="" if plan.is_streamed else plan.decoding,
        )
        write_rows(scratch, rows, origin)
    made = _name_of(target, passing)
    publish_tree(made)
    return open_dataset(made, decoder=work.decoder)


def _name_of(target: Path, passing: Sequence[Quarantined]) -> Path:
    """Where a dataset goes: under its key only if it holds all that the source has."""
    if not passing:
        return target
    lacking = text_digest(canonical_json([entry.path for entry in passing]))
    return target.with_name(f"{target.name}-without-{lacking[:12]}")


def _decode_all(work: Ingestion, known: Known | None, directory: Path, on_progress: OnProgress) -> Decoded:
    try:
        with contextlib.ExitStack() as stack:

            def decode(plan: IngestPlan) -> Iterator[dict[str, np.ndarray]]:
                # Closing stops Ray's work at once when the writing fails or the user interrupts.
                return stack.enter_context(contextlib.closing(decoded_blocks(replace(work, plan=plan))))

            blocks = decode(work.plan) if known is None else with_known(work.plan, known, decode)
            return collect(work.plan, blocks, directory, on_progress)
    except NotAlike:
        return _decode_all(work, None, directory, on_progress)


def decoded_blocks(work: Ingestion) -> Generator[dict[str, np.ndarray], None, None]:
    """Decoded blocks in the order of the rows, streamed: Ray's store never holds more than a few of them.

    Raises:
        DataError: what a decoder has raised.
        ResourceError: Ray has no CPU, memory or disk for it.
    """
    with DataContext.current(decoding_context()), ray_errors_are_ours():
        # Not from_arrow: it looks at the tables in a remote call, which waits for ever when no CPU is free.
        chunks = chunks_of(work.plan)
        decoded = ray.data.from_items(chunks, override_num_blocks=len(chunks)).map_batches(
            decode_block,
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=1,
            fn_kwargs={"decoder": work.decoder, "storage": work.plan.wanted},
        )
        yield from decoded.iter_batches(batch_size=None, batch_format="numpy", prefetch_batches=1)


def _cached(target: Path, work: Ingestion) -> Dataset | None:
    if not bring_tree(target).exists():
        return None
    try:
        found = open_dataset(target, decoder=work.decoder)
    except ArtifactError:
        found = None
    if found is None or (work.examiner is not None and found.findings is None):
        # The source is still there, so what is damaged, or was made before there were examinations, is made anew.
        shutil.rmtree(target)
        return None
    return found


@contextlib.contextmanager
def _one_builder(target: Path) -> Iterator[None]:
    """Let one process at a time build this dataset, and clear what a killed one left of it."""
    with exclusive(target.parent / f"{target.name}.lock"):
        for scratch in target.parent.glob(f".{target.name}.*"):
            shutil.rmtree(scratch, ignore_errors=True)
        yield


def _silent(done: int, total: int) -> None:
    return None
