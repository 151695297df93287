"""What a job will do before it does it: backbones, trials, epochs, resources, and an estimate of the time."""

import os
from dataclasses import asdict, dataclass
from typing import Any

from graft.core.storage import Home
from graft.models.info import BackboneInfo
from graft.models.load import check_backbone, describe_backbone
from graft.pipeline.estimate import expected_epochs
from graft.pipeline.resources import TrialShare, share
from graft.pipeline.stages import StageName
from graft.spec.job import Job

# Ray, ingest, actors, evaluation, export, registration; measured 25-35 s on two CPU cores.
OVERHEAD_SECONDS = 30.0


@dataclass(frozen=True)
class BackbonePlan:
    """One backbone of the space.

    Attributes:
        name, blocks, parameters, features: what it is.
        problem: why it cannot be used, or None.
        image_seconds: one training step of one image through the whole network on one thread; None if not measured.
    """

    name: str
    blocks: int
    parameters: int
    features: int
    problem: str | None
    image_seconds: float | None


@dataclass(frozen=True)
class Plan:
    """What will happen.

    Attributes:
        stages: in order.
        grid: how many strategies the space holds, None if it is continuous.
        trials: how many will be tried at most.
        expected_epochs: epochs a trial trains on average under the scheduler.
        share: what a trial occupies, and how many run at once, on this machine.
        samples: rows of a trial and of validation, None before the first ingest.
        seconds: estimated wall-clock time, None if it cannot be said.
        minutes_budget: of the job.
    """

    job: str
    stages: tuple[str, ...]
    backbones: tuple[BackbonePlan, ...]
    grid: int | None
    trials: int
    epochs: int
    expected_epochs: float
    share: TrialShare
    seconds: float | None
    minutes_budget: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def make_plan(job: Job, home: Home, measure: bool = True) -> Plan:
    """Plan a job for this machine.

    Args:
        job: the job.
        home: where an earlier ingest may have left its dataset.
        measure: time a training step of each backbone (seconds; imports torch); without it there is no estimate.
    """
    resolution = max(job.strategy.values("resolution"))
    backbones = tuple(_backbone(name, resolution, measure) for name in job.strategy.values("backbone"))
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    divided = share(job.resources, cpus, 0, job.search.budget.trials)
    return Plan(
        job=job.name,
        stages=tuple(StageName),
        backbones=backbones,
        grid=job.strategy.grid_size(),
        trials=min(job.search.budget.trials, job.strategy.grid_size() or job.search.budget.trials),
        epochs=job.training.epochs,
        expected_epochs=expected_epochs(job.search.scheduler, job.training.epochs),
        share=divided,
        seconds=None,
        minutes_budget=job.search.budget.minutes,
    )
