"""What the task of a job is like, found out once for each data set, and left for the task memory."""

import logging
from pathlib import Path

from graft.core.errors import ArtifactError, GraftError
from graft.core.storage import Home, read_json, write_json
from graft.data.dataset import Dataset
from graft.data.feature_store.key import data_fingerprint
from graft.data.feature_store.store import FeatureStore
from graft.experiments.task_memory.synchronise import note_task
from graft.learner.cached_features import FeatureCache
from graft.learner.task_description.describe import describe_task, reference_of
from graft.learner.training_data import TrainingData, training_data_of
from graft.meta.memory.from_journal import task_name
from graft.meta.memory.place import place_of
from graft.meta.memory.records import Scores, TaskEntry
from graft.meta.task_embedding.vector import version_of
from graft.pipeline.context import RunContext
from graft.spec.job import Job

_LOG = logging.getLogger(__name__)


def task_entry(job: Job, dataset: Dataset, home: Home, num_threads: int = 1, with_fisher: bool = False) -> TaskEntry:
    """The entry of a job's task, with meta-features and vector; a second or two, and nothing the next time.

    Args:
        job: resolved.
        dataset: its samples.
        home: keeps what was found, and the features.
        num_threads: of torch.
        with_fisher: whether the vector has the Fisher information too; minutes for a large network.

    Raises:
        ArtifactError: the weights of the reference backbone are missing.
    """
    cache = FeatureCache(FeatureStore(home.features), data_fingerprint(dataset), frozenset())
    data = training_data_of(job, dataset, num_threads, cache)
    plain = _plain_entry(job, dataset)
    file = _file_of(home, plain, data, with_fisher)
    known = _read(file, plain)
    if known is not None:
        return known
    entry = describe_task(data, plain, with_fisher=with_fisher)
    held = {name: getattr(entry, name) for name in ("meta_features", "embedding_version", "rows", "outputs")}
    write_json(file, {**held, "embedding": list(entry.embedding)})
    return entry


def note_its_task(run: RunContext, dataset: Dataset) -> None:
    """Leave what the task of a run is like in its directory; what cannot be found out ends no run."""
    try:
        if run.job.memory.keep and place_of(run.home) is not None:
            entry = task_entry(run.job, dataset, run.home, run.run_clock.allocation.num_threads)
            screened = (run.history.screened or {}).items()
            scores = [Scores(entry.task, at, name, one) for name, values in screened for at, one in values.items()]
            note_task(run.experiment, entry, scores)
    except (GraftError, KeyError, ValueError, RuntimeError, OSError) as error:
        # Samples that the reference cannot read, such as tokens of another tokenizer: the search is over and whole.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        _LOG.warning("the task memory has no vector of this task (%s)", reason)


def _plain_entry(job: Job, dataset: Dataset) -> TaskEntry:
    kind = dataset.task or job.decided_task.kind
    return TaskEntry(
        task=task_name(dataset.fingerprint, kind),
        modality=dataset.storage.modality,
        task_kind=kind,
        rows=dataset.counts.get("train", 0),
        outputs=len(dataset.names),
        title=job.name,
        output_names=tuple(dataset.names) if job.memory.label_names else (),
    )


def _file_of(home: Home, entry: TaskEntry, data: TrainingData, with_fisher: bool) -> Path:
    version = version_of(str(reference_of(data)), with_fisher).replace(":", "-").replace("/", "-")
    return home.datasets.parent / "tasks" / f"{entry.task}-{version}.json"


def _read(file: Path, plain: TaskEntry) -> TaskEntry | None:
    """What an earlier run has found; None if there is none, or it is damaged: then it is found out anew."""
    if not file.exists():
        return None
    try:
        held = read_json(file)
        return TaskEntry(
            **{
                **vars(plain),
                "meta_features": {str(name): float(value) for name, value in held["meta_features"].items()},
                "embedding": tuple(map(float, held["embedding"])),
                "embedding_version": str(held["embedding_version"]),
            }
        )
    except (ArtifactError, KeyError, TypeError, ValueError, AttributeError):
        _LOG.warning("%s is damaged; it is made anew", file)
        return None
