"""What a job will do before it does it: backbones, trials, epochs, resources, and an estimate of the time."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from graft.models.info import BackboneInfo, cut_index
from graft.models.load import check_backbone, describe_backbone
from graft.pipeline.estimate import expected_epochs
from graft.pipeline.resources import TrialShare, share
from graft.pipeline.stages import StageName
from graft.spec.job import Job

# Ray, ingest, actors, evaluation, export, registration: an assumption on the safe side, not a measurement.
OVERHEAD_SECONDS = 30.0
# A backward pass costs about twice the forward pass; a frozen block has none.
BACKWARD = 2.0

Probe = Callable[[str, int], float]
"""``probe(backbone, resolution)``: seconds a forward pass takes for one image on one thread."""


@dataclass(frozen=True)
class BackbonePlan:
    """One backbone of the space: what it is, and why it cannot be used (None if it can)."""

    name: str
    num_blocks: int | None
    num_params: int | None
    problem: str | None


@dataclass(frozen=True)
class Plan:
    """What will happen.

    Attributes:
        stages: in order.
        backbones: that the space names.
        grid: strategies in the space; None if it is continuous.
        trials: the most that will be tried.
        epochs: the most a trial trains.
        expected_epochs: what a trial trains on average under the scheduler.
        share: what a trial occupies, and how many run at once, on this machine.
        seconds: estimated wall-clock time; None if nothing was measured.
        minutes: the job's budget.
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
    minutes: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def make_plan(job: Job, samples: int | None = None, probe: Probe | None = None) -> Plan:
    """Plan a job for this machine.

    Args:
        job: the job.
        samples: images in training and validation together.
        probe: measures the backbones; without it, or without `samples`, there is no estimate of the time.
    """
    backbones = tuple(_backbone(name) for name in job.strategy.values("backbone"))
    divided = share(job.resources, usable_cpus(), 0, job.search.budget.trials)
    grid = job.strategy.grid_size()
    trials = min(job.search.budget.trials, grid or job.search.budget.trials)
    epochs = expected_epochs(job.search.scheduler, job.training.epochs)
    usable = [one.name for one in backbones if one.problem is None]
    seconds = None
    if probe and samples and usable:
        image = sum(_image_seconds(job, describe_backbone(name), probe) for name in usable) / len(usable)
        search = trials * epochs * samples * image / divided.concurrent
        fit = job.training.epochs * samples * image / divided.concurrent
        seconds = OVERHEAD_SECONDS + search + fit
    return Plan(
        job=job.name,
        stages=tuple(name for name in StageName if name != StageName.REGISTER or job.export.register),
        backbones=backbones,
        grid=grid,
        trials=trials,
        epochs=job.training.epochs,
        expected_epochs=round(epochs, 2),
        share=divided,
        seconds=seconds,
        minutes=job.search.budget.minutes,
    )


def describe(plan: Plan) -> str:
    """The plan as text for the terminal."""
    space = "continuous" if plan.grid is None else f"{plan.grid} strategies"
    lines = [
        f"job        {plan.job}",
        f"stages     {' → '.join(plan.stages)}",
        *(f"backbone   {_describe_backbone(one)}" for one in plan.backbones),
        f"space      {space}",
        f"trials     {plan.trials}, {plan.expected_epochs:g} of at most {plan.epochs} epochs each on average",
        f"at once    {plan.share.concurrent}, each on {plan.share.cpus:g} CPU and {plan.share.gpus:g} GPU",
        f"time       {_describe_time(plan)}",
    ]
    return "\n".join(lines)


def usable_cpus() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _backbone(name: str) -> BackbonePlan:
    problem = check_backbone(name)
    if problem:
        return BackbonePlan(name, None, None, problem)
    info = describe_backbone(name)
    return BackbonePlan(name, info.num_blocks, info.num_params, None)


def _image_seconds(job: Job, info: BackboneInfo, probe: Probe) -> float:
    """Seconds to train on one image on one thread, averaged over the space's frozen shares."""
    forward = probe(info.name, max(job.strategy.values("resolution")))
    trained = [1 - cut_index(share, info.num_blocks) / info.num_blocks for share in job.strategy.values("freeze")]
    return forward * (1 + BACKWARD * sum(trained) / len(trained))


def _describe_backbone(one: BackbonePlan) -> str:
    if one.problem:
        return one.problem
    return f"{one.name}: {one.num_blocks} blocks, {(one.num_params or 0) / 1e6:.1f} M parameters"


def _describe_time(plan: Plan) -> str:
    limit = f"; the budget ends it after {plan.minutes:g} min" if plan.minutes else ""
    if plan.seconds is None:
        return f"not measured{limit}"
    return f"about {plan.seconds / 60:.1f} min{limit}"
