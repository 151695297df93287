"""A look at a job's data before anything expensive starts: what it holds, which splits it gets, what is left out."""

import shutil
from pathlib import Path

import numpy as np

from graft.core.errors import DataError
from graft.data.columns import StorageSpec
from graft.data.listing import Listing, list_samples
from graft.data.overview import Overview, Progress, light_overview, told_ignored
from graft.data.split import Split
from graft.data.splits.divide import divide
from graft.data.splits.names import SplitName
from graft.data.splits.trained import require_trained, untrained
from graft.data.streaming.placement import Placement, place
from graft.data.targets import RawTargets
from graft.modalities.registry import build_modality
from graft.spec.job import Job
from graft.tasks.doubts import doubts_of
from graft.tasks.registry import build_task

_SPLITS: dict[SplitName, Split] = {"train": Split.TRAIN, "validation": Split.VALIDATION, "test": Split.TEST}


def overview_of(job: Job, listing: Listing | None = None, progress: Progress | None = None) -> Overview:
    """What the data of a job hold.

    Args:
        job: with its task decided.
        listing: of its samples, if they have been listed already.
        progress: told now and then how many samples have been found.

    Raises:
        DataError: the data cannot be used, or the task cannot have them.
    """
    hint = job.data.task_hint
    if listing is None and hint is not None and hint[0] == job.decided_task.kind:
        found = light_overview(job.data, progress)
        if found is not None:
            return found
    return _of_listing(job, listing or list_samples(job.data, progress))


def placement_of(job: Job, samples: int, datasets: Path, listing: Listing | None = None) -> Placement:
    """Whether the decoded samples of a job are going to be stored or streamed, as far as that is known before ingest.

    Args:
        job: with its task decided.
        samples: how many there are.
        datasets: where they would be stored.
        listing: of the samples, if they have been listed already; without it, images count as coloured.

    Raises:
        SpecError: streaming is asked for, but samples of this kind cannot be streamed.
    """
    modality = build_modality(job.data.modality)
    if modality.is_ragged:
        storage = StorageSpec(job.data.modality, ())
    else:
        storage = modality.storage(listing or NOT_LISTED, job.reach)
    there = next(parent for parent in (datasets, *datasets.parents) if parent.exists())
    return place(job.data, storage, samples, shutil.disk_usage(there).free)


NOT_LISTED = Listing("", (), RawTargets(np.empty(0)), np.empty(0, np.uint8), "", ())
"""What is known of samples before they are listed."""


def _of_listing(job: Job, listing: Listing) -> Overview:
    task = build_task(job.decided_task)
    _check_unreadable(job, listing)
    targets = task.read(listing.targets, listing.source)
    codes, division = divide(listing, targets, task, job.data)
    require_trained(listing.source, codes)
    unknown = untrained(listing.given, codes, targets)
    return Overview(
        noun=f"{job.data.modality}s",
        names=tuple(targets.names),
        counts=task.counts(targets.values, targets.names),
        splits={name: int(np.sum(codes == code)) for name, code in _SPLITS.items()},
        drawn=tuple(name for name, code in _SPLITS.items() if name != "train" and not np.any(listing.given == code)),
        ignored=(*listing.ignored, *listing.unreadable),
        division=division,
        notes=(*([unknown] if unknown else []), *doubts_of(task, targets)),
    )


def _check_unreadable(job: Job, listing: Listing) -> None:
    """What ingest would refuse is refused now, as far as it is known before a sample is read."""
    count, most = sum(one.count for one in listing.unreadable), job.data.max_unreadable
    if count > most * len(listing):
        raise DataError(
            f"{count} of {len(listing)} {listing.source} cannot be read ({told_ignored(listing.unreadable)}), but "
            f"data.max_unreadable allows {most:g}; correct what names them, or remove their rows"
        )
