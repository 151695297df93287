"""What a measurement before a run trains: a strategy of the job, on its training rows, in this process."""

import contextlib
import random
from dataclasses import dataclass

from graft.core.errors import SpecError
from graft.core.storage import Home
from graft.data.ingest import ingest
from graft.learner.training_data import TrainingData, training_data_of
from graft.pipeline.features.extract import is_there
from graft.pipeline.ray_session import ray_session
from graft.pipeline.stages.ingest import ingestion_of
from graft.spec.job import Job
from graft.spec.strategy import Strategy

# Of a space in which solved heads are among others.
_DRAWS = 50


@dataclass(frozen=True)
class Subject:
    """A strategy that is measured, and what it is trained on."""

    strategy: Strategy
    data: TrainingData


def subject_of(job: Job, home: Home) -> Subject:
    """The first strategy of the job that is trained in steps, or a drawn one; Ray is started only to ingest.

    Raises:
        DataError: the data cannot be used.
        SpecError: all that the job tries is solved in closed form.
    """
    strategy = _drawn(job)
    work = ingestion_of(job)
    with contextlib.nullcontext() if is_there(work, home) else ray_session():
        dataset = ingest(work, home.datasets)
    return Subject(strategy, training_data_of(job, dataset, num_threads=1))


def _drawn(job: Job) -> Strategy:
    rng = random.Random(job.search.seed)
    spaces = [*(job.search.first or ()), *[job.strategy] * _DRAWS]
    drawn: list[Strategy] = [space.sample(rng) for space in spaces]
    if trained := [one for one in drawn if not one.head.is_solved]:
        return trained[0]
    told = f"strategy.head is {drawn[0].head.kind}, which is solved at once"
    raise SpecError(
        f"{told}, but there must be a strategy that is trained in steps to measure; allow `linear` or `mlp`"
    )
