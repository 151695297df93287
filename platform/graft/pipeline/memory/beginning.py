"""What a search would begin with, for whoever looks at a job: nothing is trained, and no network is loaded."""

import math
from typing import Any

from graft.core.errors import GraftError
from graft.core.storage import Home
from graft.data.overview import Overview
from graft.meta.memory.records import TaskEntry
from graft.meta.memory.store import MemoryStore
from graft.meta.task_embedding.meta_features import meta_features
from graft.meta.task_embedding.sample import TaskSample
from graft.spec.job import Job
from graft.spec.metrics import shown

SHOWN = 5


def beginning_of(job: Job, home: Home, overview: Overview, now: float) -> dict[str, Any] | None:
    """What the first phase is recommended by the task memory, as `recommendations` has it.

    Tasks are compared by their sizes alone, which the overview knows; a run looks at a sample of the data too, so what
    it begins with may differ.

    Args:
        job: resolved.
        home: whose memory is asked.
        overview: of the job's data.
        now: seconds since the epoch: records age.

    Returns:
        None where nothing is remembered, or the searcher learns from no tasks. A memory that cannot be read is told,
        as a run tells it.
    """
    try:
        store = MemoryStore.find(home)
        if store is None or not store.contents().records.num_rows:
            return None
        # Arithmetic that costs a second to import, of which a job without a memory has no need.
        from graft.pipeline.memory.recommending import asks_the_memory, memory_of, recommendations

        if not asks_the_memory(job, 0):
            return None
        entry, largest = entry_by_size(job, overview), largest_value(job, overview)
        return recommendations(job, memory_of(home, now), SHOWN, entry, largest)
    except GraftError as error:
        told = f"the task memory cannot be used, so all is drawn: {error}"
        about = {"basis": "nothing", "tasks": 0, "confidence": 0.0, "told": told}
        return {"job": job.name, "metric": job.objective.name, "recommendations": [], **about}


def lines_of(beginning: dict[str, Any]) -> list[str]:
    """The same for the terminal: all of it in a line, then each with its reason."""
    rows = beginning["recommendations"] if beginning["tasks"] else []
    return [beginning["told"], *(f"{rank}. {_ranked(one)}" for rank, one in enumerate(rows, start=1))]


def _ranked(recommended: dict[str, Any]) -> str:
    """With its reason and what is expected, as far as there are any."""
    curve = recommended["curve"]
    promise = "" if curve is None else f"{curve['metric']} {expected_end(curve)} expected"
    told = "; ".join(filter(None, (recommended["reason"], promise)))
    return f"{recommended['label']}: {told}" if told else recommended["label"]


def expected_end(curve: dict[str, Any] | None) -> str:
    """Where a curve of `recommendations` ends: the value, and between which others it lies with 80 %."""
    if curve is None:
        return "–"
    end, low, high = (shown(curve[name][-1]) for name in ("expected", "low", "high"))
    return f"{end} [{low}, {high}]"


def largest_value(job: Job, overview: Overview) -> float:
    """The largest value of the job's metric that is worth telling.

    An error in the units of the targets is no larger than their range, unless a model predicts what no sample has. Of
    other metrics their own bounds are enough.
    """
    ranges = [one for one in overview.counts.values() if isinstance(one, dict)]
    if not job.objective.is_in_units or not ranges:
        return math.inf
    return float(sum(one["max"] - one["min"] for one in ranges) / len(ranges))


def entry_by_size(job: Job, overview: Overview) -> TaskEntry:
    """What a task is like as far as its sizes say; it has no vector."""
    counts = tuple(one for one in overview.counts.values() if isinstance(one, int))  # of values they are ranges
    rows, outputs = overview.splits["train"], len(overview.names)
    sample = TaskSample(rows, outputs, counts)
    kind = job.decided_task.kind
    return TaskEntry("", job.data.modality, kind, rows, outputs, meta_features(sample), title=job.name)
