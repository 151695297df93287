"""Examines the data of a job without a run: all is looked at and nothing is changed, whatever is wrong with it."""

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.data.columns import StorageSpec
from graft.data.dataset import Quarantined
from graft.data.decoding.blocks import local_blocks
from graft.data.decoding.collect import OnProgress, collect, examined
from graft.data.examination.examined import Examined
from graft.data.examination.found import Examination
from graft.data.listing import Listing
from graft.data.plan import Ingestion, IngestPlan, TargetReader, plan_ingest
from graft.data.split import UNASSIGNED, Split
from graft.data.targets import Targets
from graft.doctor.examiner import Doctor
from graft.doctor.report import Preview, Report
from graft.modalities.protocol import Modality
from graft.modalities.registry import build_modality
from graft.pipeline.examination.of_dataset import names_shown
from graft.spec.job import Job
from graft.tasks.registry import build_task

FEW = 2_000
"""Of so many samples this process has read all before Ray would have started."""


@dataclass(frozen=True)
class Unexamined:
    """Data that are to be examined.

    Attributes:
        work: what is to be decoded, and how.
        modality: of the samples.
        note: why they cannot be split as a run would; empty if they can.
    """

    work: Ingestion
    modality: Modality
    note: str = ""

    @property
    def are_few(self) -> bool:
        """Whether Ray is not worth its start."""
        return len(self.work.plan.rows) <= FEW


def unexamined(job: Job, listing: Listing | None = None) -> Unexamined:
    """List the data of a job, and decide how they are read.

    Args:
        job: with its task decided.
        listing: of its samples, if they have been listed already.

    Raises:
        DataError: there are none, or the task cannot have these labels.
    """
    modality, task = build_modality(job.data.modality), build_task(job.decided_task)
    listing = listing or modality.list(job.data)
    storage = modality.storage(listing, job.reach)
    try:
        plan, note = plan_ingest(listing, job.data, task, storage), ""
    except DataError as error:
        plan, note = _unsplit(listing, task, storage), f"a run would end here: {error}"
    decoder = modality.decoder(job.data, listing, storage)
    return Unexamined(
        Ingestion(plan, decoder, task, 1.0, Doctor(job.data.clean, True, job.data.checks)), modality, note
    )


def examine(data: Unexamined, home: Path, progress: OnProgress) -> Report:
    """Decode everything once, and look at it: few samples in this process, more on the cluster.

    Args:
        data: what is to be examined.
        home: a directory for what is decoded meanwhile; nothing is left in it.
        progress: told how many samples of how many are done.

    Raises:
        ResourceError: the disk is full, or the cluster lacks something.
    """
    began, work = time.monotonic(), data.work
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=home) as name, _blocks(data) as blocks:
        directory = Path(name)
        decoded = collect(work.plan, blocks, directory, progress)
        seen = examined(work, decoded, directory)
        assert work.examiner is not None, "`unexamined` has seen to it"
        found = work.examiner.examine(seen)
        return Report(
            source=work.plan.listing.source,
            modality=data.modality.name,
            task=work.task.spec.kind,
            records=len(work.plan.rows),
            splits={split.name.lower(): int(np.sum(found.splits == split)) for split in Split},
            findings=found.findings,
            quarantine=(*decoded.quarantine, *_dropped(seen, found)),
            ignored=work.plan.listing.ignored,
            seconds=time.monotonic() - began,
            previews=previews(data.modality, seen, found),
            notes=(data.note,) if data.note else (),
        )


@contextlib.contextmanager
def _blocks(data: Unexamined) -> Iterator[Iterator[Mapping[str, Any]]]:
    if data.are_few:
        yield local_blocks(data.work)
        return
    from graft.data.ingest import decoded_blocks
    from graft.pipeline.ray_session import ray_session

    with ray_session(), contextlib.closing(decoded_blocks(data.work)) as blocks:
        yield blocks


def previews(modality: Modality, seen: Examined, found: Examination) -> dict[str, Preview]:
    """Something to look at for the samples that findings name, and those that they are like."""
    names = names_shown(found.findings)
    rows = [row for row, name in enumerate(seen.ids) if name in names]
    looks = modality.previews(seen.columns, np.array(rows, dtype=np.int64)) if rows else ()
    return {seen.ids[row]: look for row, look in zip(rows, looks, strict=True)}


def _dropped(seen: Examined, found: Examination) -> tuple[Quarantined, ...]:
    return tuple(Quarantined(seen.ids[row], one.reason, kind=one.kind) for row, one in sorted(found.dropped.items()))


def _unsplit(listing: Listing, task: TargetReader, storage: StorageSpec) -> IngestPlan:
    """All rows, those that the source gives no split as training ones: their splits cannot be drawn."""
    targets = task.read(listing.targets, listing.source)
    splits = np.where(listing.given == UNASSIGNED, int(Split.TRAIN), listing.given).astype(np.uint8)
    whole = replace(listing, given=splits)  # so that nothing is moved
    return IngestPlan(whole, Targets(targets.values, targets.names), storage, np.arange(len(listing)), splits, "")
