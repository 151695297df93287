"""The ingest stage: Ray Data reads, checks and stores the samples once."""

from pathlib import Path

from graft.core.errors import ArtifactError
from graft.data.dataset import Dataset, open_dataset
from graft.data.ingest import ingest
from graft.data.square import StoredForm
from graft.journal import events
from graft.pipeline.context import RunContext
from graft.pipeline.stages.runner import Output
from graft.spec.job import Job

# Unreadable files named on the terminal; the journal and MLflow name them all.
NAMED_FILES = 3


def run_ingest(run: RunContext) -> Output:
    """Make the dataset, or find the one that an earlier run has made; journal what it holds."""
    dataset = ingest(run.job.data, stored_form(run.job), run.home.datasets)
    quarantine = tuple({"path": one.path, "reason": one.reason} for one in dataset.quarantine)
    run.journal.append(
        events.DatasetReady(
            dataset.fingerprint,
            dataset.source,
            dataset.counts,
            quarantine,
            dataset.classes,
            dataset.cross_split_duplicates,
        )
    )
    return {"directory": str(dataset.directory), "summary": _describe(dataset)}


def stored_form(job: Job) -> StoredForm:
    """How a job's images are kept: as large as the largest resolution of its space, grey if the source is."""
    return StoredForm(max(job.strategy.values("resolution")), 3 if job.data.kind == "image_folder" else 1, "bicubic")


def is_dataset_there(output: Output) -> bool:
    """Whether the dataset an earlier run left is still in the cache."""
    try:
        open_dataset(Path(output["directory"]))
    except ArtifactError:
        return False
    return True


def _describe(dataset: Dataset) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in dataset.counts.items())
    parts = [f"{counts} images, {len(dataset.classes)} classes"]
    if dataset.quarantine:
        named = ", ".join(one.path for one in dataset.quarantine[:NAMED_FILES])
        rest = len(dataset.quarantine) - NAMED_FILES
        parts.append(
            f"{len(dataset.quarantine)} unreadable left out: {named}" + (f" and {rest} more" if rest > 0 else "")
        )
    if dataset.cross_split_duplicates:
        parts.append(f"{dataset.cross_split_duplicates} images are in more than one split")
    return "; ".join(parts)
