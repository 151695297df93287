"""The vector of a job's task, and the tasks of a memory that are most like it."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.core.storage import Home
from graft.data.ingest import ingest
from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.similarity import nearest
from graft.pipeline.features.extract import is_there
from graft.pipeline.ray_session import ray_session
from graft.pipeline.resolve import resolve_job
from graft.pipeline.stages.ingest import ingestion_of
from graft.pipeline.task_memory.entry import task_entry
from graft.spec.job import Job

MOST_LIKE = 5


@dataclass(frozen=True)
class Embedded:
    """A task as the memory sees it.

    Attributes:
        entry: with meta-features and vector.
        like: the tasks that are most like it, and how much.
        seconds: it took, once the samples were there.
    """

    entry: TaskEntry
    like: Sequence[tuple[TaskEntry, float]]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        entry = self.entry
        alike: list[Mapping[str, Any]] = [
            {"task": one.task, "title": one.title, "similarity": value} for one, value in self.like
        ]
        return {
            "task": entry.task,
            "modality": entry.modality,
            "task_kind": entry.task_kind,
            "rows": entry.rows,
            "outputs": entry.outputs,
            "meta_features": dict(entry.meta_features),
            "embedding": list(entry.embedding),
            "embedding_version": entry.embedding_version,
            "similar": alike,
            "seconds": round(self.seconds, 3),
        }


def embed(job: Job, home: Home, others: Sequence[TaskEntry], with_fisher: bool = False) -> Embedded:
    """Look at the samples of a job; they are ingested if nobody has done so.

    Raises:
        DataError: the data cannot be used.
        ArtifactError: the weights of the reference backbone are missing.
    """
    resolved = resolve_job(job).job
    home.require_writable()
    work = ingestion_of(resolved)
    with contextlib.nullcontext() if is_there(work, home) else ray_session():
        dataset = ingest(work, home.datasets)
    begun = time.perf_counter()
    entry = task_entry(resolved, dataset, home, with_fisher=with_fisher)
    return Embedded(entry, nearest(entry, others, MOST_LIKE), time.perf_counter() - begun)
