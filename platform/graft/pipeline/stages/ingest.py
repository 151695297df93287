"""The ingest stage: Ray Data reads, checks and stores the samples once."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from graft.core.errors import ArtifactError, DataError
from graft.core.stores.copy import is_there
from graft.core.stores.home_path import located
from graft.data.dataset import Dataset, open_dataset
from graft.data.examination.finding import Finding, check_findings
from graft.data.ingest import ingest
from graft.data.overview import Ignored, summed_up
from graft.data.plan import Ingestion, plan_ingest
from graft.data.streaming.placement import place
from graft.doctor.examiner import Doctor
from graft.doctor.files import write_report
from graft.experiments.progress import Progress
from graft.journal import events
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
from graft.pipeline.context import RunContext
from graft.pipeline.examination.of_dataset import report_of
from graft.pipeline.stages.runner import Output
from graft.pipeline.waits import telling_silent_store
from graft.spec.job import Job
from graft.tasks.registry import build_task

# Unreadable samples named on the terminal; the journal and MLflow name them all.
NAMED_FILES = 3
# Kinds of findings that `describe_dataset` tells with the names of files.
_TOLD = frozenset({"unreadable"})


def run_ingest(run: RunContext) -> Output:
    """Make the dataset, or find the one that an earlier run has made; journal what it holds."""
    work, why = placed(ingestion_of(run.job), run.job, run.home.datasets)
    # Of this listing, not of the one that has made the dataset: what is left out is no part of its key.
    ignored = work.plan.listing.ignored
    with telling_silent_store(run.journal, next(iter(work.plan.listing.sources), b"")) as progress:
        dataset = ingest(work, run.home.datasets, progress)
    if work.plan.is_streamed:
        require_unchanged(work, run.job)
    _require_same(dataset, run.progress)
    findings = Doctor(run.job.data.clean).decided(dataset.findings or ())
    if dataset.findings is not None:
        write_report(report_of(dataset, findings, ignored), run.experiment.directory)
    check_findings(findings)
    quarantine = tuple({"path": one.path, "reason": one.reason} for one in dataset.quarantine)
    modality = build_modality(run.job.data.modality)
    told = (line if what == "note" else f"{what} {line}" for what, line in work.plan.split.lines())
    streamed = (f"samples are streamed: {why}",) if work.plan.is_streamed else ()
    sizes = modality.sizes(run.job.reach)
    backbones = [describe_backbone(name) for name in run.job.reach.values("backbone")]
    notes = (*told, *remarks_of(dataset), *streamed, *modality.notes(dataset.columns, sizes, backbones))
    run.journal.append(
        events.DatasetReady(
            dataset.fingerprint,
            dataset.source,
            dataset.counts,
            quarantine,
            dataset.names,
            dataset.cross_split_duplicates,
            task=dataset.task,
            modality=dataset.storage.modality,
            notes=notes,
            ignored=tuple(one.to_dict() for one in ignored),
            findings=tuple(one.in_short() for one in findings),
            dropped=tuple({"path": one.path, "kind": one.kind, "reason": one.reason} for one in dataset.dropped),
        )
    )
    summary = "; ".join([describe_dataset(dataset, ignored), *findings_told(findings), *notes])
    return {"directory": str(dataset.directory), "summary": summary}


def _require_same(dataset: Dataset, progress: Progress) -> None:
    """A dataset that is made again, because the one before is gone, must be the one that trials have learnt from."""
    if progress.trials and progress.fingerprint not in ("", dataset.fingerprint):
        raise DataError(
            f"{dataset.source} has changed since {len(progress.trials)} trials learnt from it, and what was made of it "
            "then is gone; put the data back, or start a new experiment with `graft run`"
        )


def ingestion_of(job: Job) -> Ingestion:
    """List a job's samples, read their targets, choose splits, and decide how they are kept.

    Raises:
        DataError: the data cannot be used, or the task cannot have its labels.
    """
    modality, task = build_modality(job.data.modality), build_task(job.decided_task)
    listing = modality.list(job.data)
    storage = modality.storage(listing, job.reach)
    plan = plan_ingest(listing, job.data, task, storage)
    decoder, doctor = modality.decoder(job.data, listing, storage), Doctor(job.data.clean, checks=job.data.checks)
    return Ingestion(plan, decoder, task, job.data.max_unreadable, doctor)


def placed(work: Ingestion, job: Job, datasets: Path) -> tuple[Ingestion, str]:
    """Decide whether decoded samples are stored or streamed; and why."""
    datasets.mkdir(parents=True, exist_ok=True)
    is_made, free = is_there(datasets / work.plan.key), shutil.disk_usage(datasets).free
    found = place(job.data, work.plan.storage, len(work.plan.rows), free, is_made)
    return _streamed(work, found.is_streamed), found.reason


def open_ingested(directory: Path, job: Job) -> Dataset:
    """The dataset that this run, or an earlier one, has made; one that is streamed with what decodes it.

    Raises:
        DataError: samples are streamed, and their source has changed since ingest.
    """
    dataset = open_dataset(directory)
    if not dataset.is_streamed:
        return dataset
    work = _streamed(ingestion_of(job), True)
    if not directory.name.startswith(work.plan.name):
        raise _changed(work)
    return open_dataset(directory, decoder=work.decoder)


def require_unchanged(work: Ingestion, job: Job) -> None:
    """Samples that are streamed are read as long as the run goes on, so they have to stay as they are.

    Raises:
        DataError: the source holds something else than when it was listed.
    """
    if ingestion_of(job).plan.key != work.plan.key:
        raise _changed(work)


def _streamed(work: Ingestion, is_streamed: bool) -> Ingestion:
    return replace(work, plan=replace(work.plan, is_streamed=is_streamed))


def _changed(work: Ingestion) -> DataError:
    return DataError(
        f"{work.plan.listing.source} has grown or changed since it was listed, but samples that are streamed must stay "
        "as they are; wait until it is complete and start a new experiment with `graft run`, or set data.store to disk"
    )


def is_dataset_there(output: Output) -> bool:
    """Whether the dataset an earlier run left is still in the cache."""
    try:
        open_dataset(located(output["directory"]))
    except ArtifactError:
        return False
    return True


def describe_dataset(dataset: Dataset, ignored: Sequence[Ignored] = ()) -> str:
    """What there is, and what was left out, in a line."""
    counts = ", ".join(f"{count} {name}" for name, count in dataset.counts.items())
    parts = [f"{counts} {dataset.storage.modality}s, {dataset.task} of {len(dataset.names)} ({_named(dataset)})"]
    if dataset.quarantine:
        named = ", ".join(one.path for one in dataset.quarantine[:NAMED_FILES])
        rest = len(dataset.quarantine) - NAMED_FILES
        parts.append(
            f"{len(dataset.quarantine)} unreadable left out: {named}" + (f" and {rest} more" if rest > 0 else "")
        )
    if ignored:
        parts.append(f"left out by name ({summed_up(ignored)})")
    if dataset.cross_split_duplicates:
        parts.append(f"{dataset.cross_split_duplicates} {dataset.storage.modality}s are in more than one split")
    return "; ".join(parts)


def findings_told(findings: Sequence[Finding]) -> tuple[str, ...]:
    """What the examination found that is worth a line, worst first; `graft doctor` tells the rest."""
    grave = (one for one in findings if one.severity != "info" and one.kind not in _TOLD)
    told = ", ".join(f"{one.count} {one.kind} ({one.action})" for one in grave)
    return (f"findings: {told}",) if told else ()


def remarks_of(dataset: Dataset) -> tuple[str, ...]:
    """What was assumed to read some samples, in sentences."""
    total, sort = sum(dataset.counts.values()), f"{dataset.storage.modality}s"
    return tuple(f"{count} of {total} {sort} {remark}" for remark, count in sorted(dataset.remarks.items()))


def _named(dataset: Dataset) -> str:
    more = len(dataset.names) - NAMED_FILES
    return ", ".join(dataset.names[:NAMED_FILES]) + (f" and {more} more" if more > 0 else "")
