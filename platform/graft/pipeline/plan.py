"""What a job will do before it does it: backbones, trials, epochs, resources, and an estimate of the time."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from graft.models.info import BackboneInfo, cut_index
from graft.models.load import check_backbone, describe_backbone
from graft.pipeline.estimate import Outlook
from graft.pipeline.resources import ClusterResources, Node, TrialShare, share
from graft.pipeline.stages import StageName
from graft.spec.job import Job
from graft.spec.mutation import architectures
from graft.spec.phases import Phase

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
class PhasePlan:
    """One phase of the search."""

    scheduler: str
    searcher: str
    trials: int | None
    epochs: int
    expected_epochs: float
    note: str


@dataclass(frozen=True)
class Plan:
    """What will happen.

    Attributes:
        stages: in order.
        backbones: that the space names.
        grid: strategies in the space; None if it is continuous.
        phases: of the search, in order.
        trials: the most that will be tried; None if only time or money ends the search.
        epochs: the most a trial trains.
        expected_epochs: what a trial trains on average, over all phases.
        share: what a trial occupies, and how many run at once, on this machine.
        seconds: estimated wall-clock time; None if nothing was measured.
        minutes: the job's budget.
    """

    job: str
    stages: tuple[str, ...]
    backbones: tuple[BackbonePlan, ...]
    grid: int | None
    phases: tuple[PhasePlan, ...]
    trials: int | None
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
    outlook = Outlook.of(job)
    divided = share(job.resources, ClusterResources((Node(usable_cpus()),)), outlook.trials)
    grid = job.strategy.grid_size()
    phases = tuple(_phase(job, phase, outlook.epochs[phase.index], grid) for phase in outlook.phases)
    sizes = [phase.trials for phase in phases]
    trials = None if None in sizes else sum(size or 0 for size in sizes)
    total = sum((phase.trials or 0) * phase.expected_epochs for phase in phases)
    usable = [one.name for one in backbones if one.problem is None]
    seconds = None
    if probe and samples and usable and trials is not None:
        image = sum(_image_seconds(job, describe_backbone(name), probe) for name in usable) / len(usable)
        search = total * samples * image / divided.concurrent
        fit = job.training.epochs * samples * image / divided.concurrent
        seconds = OVERHEAD_SECONDS + search + fit
    return Plan(
        job=job.name,
        stages=tuple(name for name in StageName if name != StageName.REGISTER or job.export.register),
        backbones=backbones,
        grid=grid,
        phases=phases,
        trials=trials,
        epochs=job.training.epochs,
        expected_epochs=round(total / trials if trials else phases[0].expected_epochs, 2),
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
        *(f"phase {place}    {_describe_phase(one)}" for place, one in enumerate(plan.phases, start=1)),
        f"at once    {_describe_share(plan.share)}",
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


def _phase(job: Job, phase: Phase, expected: float, grid: int | None) -> PhasePlan:
    is_drawn = not phase.from_top and not phase.is_population_based
    trials = min(phase.trials, grid) if is_drawn and phase.trials and grid else phase.trials
    return PhasePlan(
        scheduler=phase.scheduler.kind,
        searcher=phase.searcher.kind,
        trials=trials,
        epochs=phase.epochs,
        expected_epochs=round(expected, 2),
        note=_population_note(job, phase),
    )


def _population_note(job: Job, phase: Phase) -> str:
    """Who may copy from whom: weights only fit within one architecture."""
    if not phase.is_population_based:
        return "goes on from the best of the phase before" if phase.from_top else ""
    if phase.from_top:
        return "one population, of the architecture of the best trial before"
    kinds = architectures(job.strategy) or 1
    return "one population" if kinds == 1 else f"{kinds} populations, one an architecture"


def _describe_phase(one: PhasePlan) -> str:
    trials = "as many trials as fit" if one.trials is None else f"{one.trials} trials"
    parts = [
        f"{one.scheduler} over {one.searcher}: {trials}",
        f"to epoch {one.epochs}, {one.expected_epochs:g} epochs each on average",
    ]
    return "; ".join([", ".join(parts), *([one.note] if one.note else [])])


def _describe_share(share: TrialShare) -> str:
    workers = f"{share.workers} workers on " if share.workers > 1 else ""
    return f"{share.concurrent}, each {'of ' if workers else 'on '}{workers}{share.cpus:g} CPU and {share.gpus:g} GPU"


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
