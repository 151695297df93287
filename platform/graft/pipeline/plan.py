"""What a job will do before it does it: backbones, trials, epochs, resources, and an estimate of the time."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from graft.experiments.stages import StageName
from graft.learner import prefix_plan
from graft.learner.head_fusion import reason_not_fused
from graft.learner.prefix import Prefix
from graft.modalities.registry import build_modality
from graft.models.info import BackboneInfo, cut_index, moved_shares
from graft.models.load import check_backbone, describe_backbone
from graft.pipeline.edits import PlannedEdit, planned_edits
from graft.pipeline.resolve import Reasons
from graft.pipeline.zoo.mapped import needs_own_weights
from graft.search.outlook import Outlook
from graft.spec.defaults.length import batch_sizes
from graft.spec.defaults.scale import Scale
from graft.spec.job import Job
from graft.spec.messages.counting import counted
from graft.spec.search.phases import Phase, drawn_from, total_trials
from graft.spec.space.describe import describe_space
from graft.spec.space.mutation import architectures
from graft.workers.allocation import Allocation, ClusterResources, Node, allocate

# Ray, ingest, actors, evaluation, export, registration: an assumption on the safe side, not a measurement.
OVERHEAD_SECONDS = 30.0
MOST_EDITS = 12
TOGETHER = "of many trials in one computation"
# A backward pass costs about twice the forward pass; a frozen block has none.
BACKWARD = 2.0

_OF_THE_JOB = Reasons()

Probe = Callable[[str, int], float]
"""``probe(backbone, size of its inputs)``: seconds a forward pass takes for one sample on one thread."""


@dataclass(frozen=True)
class Materialise:
    """Frozen blocks whose features are computed once.

    Attributes:
        views: stored augmentations of each sample; 0 if samples are not augmented.
        left_out: blocks below the cut that are left out of the backbone.
        pool: how features are pooled of an edited network of which all blocks are frozen; empty otherwise.
        start: `strategy.init` as JSON where the weights are not the backbone's own; empty else.
        bytes: that they will take; None if nothing was measured.
        reads: epochs, over all trials, that are expected to go on from them.
    """

    backbone: str
    size: int
    cut: int
    views: int
    left_out: tuple[int, ...]
    pool: str
    start: str
    bytes: int | None
    reads: float


@dataclass(frozen=True)
class BackbonePlan:
    """One backbone of the space: what it is, why it cannot be used (None if it can), what it makes of frozen shares."""

    name: str
    num_blocks: int | None
    num_params: int | None
    problem: str | None
    note: str = ""


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
        task: what is asked of the samples.
        task_reason: why it is this task.
        modality: what a sample is.
        backbones: that the space names.
        strategy: the space that is searched, as a job file has it.
        space: the same in words.
        space_from: who says so: the job, or the default for its samples and its task.
        preset: what the job's preset does, in words; empty where the job has a strategy of its own.
        shortens: whether trainings that cannot end in time plan fewer epochs.
        steps: of an epoch, by the batch sizes of the space; empty if nobody has counted the samples.
        first: strategies that are tried before any is drawn, at a glance.
        grid: strategies that there are to try; None if the space is continuous.
        phases: of the search, in order.
        trials: the most that will be tried; None if only time or money ends the search.
        epochs: the most a trial trains.
        expected_epochs: what a trial trains on average, over all phases.
        share: what a trial occupies, and how many run at once, on this machine.
        seconds: estimated wall-clock time; None if nothing was measured.
        minutes: the job's budget.
        materialise: frozen blocks that are computed once, shallow before deep.
        predicted_speedup: how many times less arithmetic the search does so; by blocks if nothing was measured.
        ceiling: what it could be at most.
        edits: what the structures of the space make of the cost of its backbones.
        not_fused_because: why each trial is trained by itself; empty if heads are trained together.
    """

    job: str
    task: str
    task_reason: str
    modality: str
    metric: str
    stages: tuple[str, ...]
    backbones: tuple[BackbonePlan, ...]
    strategy: dict[str, Any]
    space: str
    space_from: str
    preset: str
    first: tuple[str, ...]
    grid: int | None
    phases: tuple[PhasePlan, ...]
    trials: int | None
    epochs: int
    expected_epochs: float
    shortens: bool
    steps: dict[int, int]
    share: Allocation
    seconds: float | None
    minutes: float | None
    materialise: tuple[Materialise, ...]
    predicted_speedup: float
    ceiling: float
    edits: tuple[PlannedEdit, ...]
    not_fused_because: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def make_plan(
    job: Job,
    size: Scale | None = None,
    probe: Probe | None = None,
    depths: prefix_plan.Probe | None = None,
    reasons: Reasons = _OF_THE_JOB,
    there: ClusterResources | None = None,
) -> Plan:
    """Plan a job for this machine, or for a cluster.

    Args:
        job: the job.
        size: how many samples there are.
        probe: measures the backbones; without it, or without `size`, there is no estimate of the time.
        depths: measures their blocks; without it, all blocks of a network count as equal.
        reasons: why what the job left open is as it is.
        there: what the cluster has; this machine if left out.
    """
    samples = size.training + size.validation if size else None
    backbones = tuple(_backbone(name, job) for name in job.reach.values("backbone"))
    outlook = Outlook.of(job)
    there = there or ClusterResources((Node(usable_cpus()),))
    divided = allocate(job.resources, there, total_trials(outlook.phases))
    grid = job.strategies
    phases = tuple(_phase(job, phase, outlook.epochs[phase.index]) for phase in drawn_from(outlook.phases, grid))
    sizes = [phase.trials for phase in phases]
    trials = None if None in sizes else sum(size or 0 for size in sizes)
    total = sum((phase.trials or 0) * phase.expected_epochs for phase in phases)
    usable = [one.name for one in backbones if one.problem is None]
    seconds = None
    if probe and samples and usable and trials is not None:
        each = sum(_sample_seconds(job, describe_backbone(name), probe) for name in usable) / len(usable)
        search = total * job.search.evaluation.models * samples * each / divided.concurrent
        fit = job.epochs * samples * each / divided.concurrent
        seconds = OVERHEAD_SECONDS + search + fit
    unusable = [one.name for one in backbones if one.problem]
    materialise, speed_up = _materialise(job, samples, depths, unusable)
    return Plan(
        job=job.name,
        task=job.decided_task.kind,
        task_reason=reasons.task,
        modality=job.data.modality,
        metric=job.objective.name,
        stages=tuple(name for name in StageName if name != StageName.REGISTER or job.export.register),
        backbones=backbones,
        strategy=job.strategy.dump(),
        space=describe_space(job.strategy),
        space_from=reasons.space,
        preset=reasons.preset,
        first=tuple(one.label(job.reach.varied()) for one in job.first),
        grid=grid,
        phases=phases,
        trials=trials,
        epochs=job.epochs,
        expected_epochs=round(total / trials if trials else phases[0].expected_epochs, 2),
        shortens=bool(job.training.shorten),
        steps={batch: size.steps(batch) for batch in batch_sizes(job)} if size else {},
        share=divided,
        seconds=seconds,
        minutes=job.search.budget.minutes,
        materialise=materialise,
        predicted_speedup=round(speed_up.predicted, 2),
        ceiling=round(speed_up.ceiling, 2),
        edits=planned_edits(job),
        not_fused_because=f"{unusable[0]} cannot be used" if unusable else reason_not_fused(job, divided),
    )


def describe(plan: Plan) -> list[str]:
    """The plan as lines for the terminal."""
    size = "continuous" if plan.grid is None else "1 strategy" if plan.grid == 1 else f"{plan.grid} strategies"
    return [
        f"job        {plan.job}",
        f"task       {plan.task} of {plan.modality}s by {plan.metric}"
        + (f": {plan.task_reason}" if plan.task_reason else ""),
        f"stages     {' → '.join(plan.stages)}",
        *(f"backbone   {_describe_backbone(one)}" for one in plan.backbones),
        f"space      {size}, {plan.space_from}: {plan.space or 'every key as it is by default'}",
        *([f"preset     {plan.preset}"] if plan.preset else []),
        *(f"first      {one}" for one in plan.first),
        *([f"training   {_describe_steps(plan)}"] if plan.steps else []),
        *(f"phase {place}    {_describe_phase(one)}" for place, one in enumerate(plan.phases, start=1)),
        *(f"structure  {line}" for line in _describe_edits(plan.edits)),
        f"at once    {_describe_share(plan.share)}",
        *(f"compute    {line}" for line in _describe_materialise(plan)),
        f"heads      {f'one by one: {plan.not_fused_because}' if plan.not_fused_because else TOGETHER}",
        f"time       {_describe_time(plan)}",
    ]


def _describe_steps(plan: Plan) -> str:
    """How long a training is in what a network learns in."""
    each = " or ".join(f"{counted(steps, 'step')} of {counted(batch, 'sample')}" for batch, steps in plan.steps.items())
    total = " or ".join(f"{steps * plan.epochs}" for steps in plan.steps.values())
    fewer = "; fewer where they do not fit into the budget" if plan.shortens and plan.minutes else ""
    return f"{counted(plan.epochs, 'epoch')} of {each}: {total} {'step' if total == '1' else 'steps'}{fewer}"


def _describe_edits(edits: Sequence[PlannedEdit]) -> list[str]:
    more = len(edits) - MOST_EDITS
    return [*(one.line() for one in edits[:MOST_EDITS]), *([f"… and {more} more, in --json"] if more > 0 else [])]


def usable_cpus() -> int:
    """CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def moved_freezes(job: Job) -> str:
    """What the backbones of a job make of its frozen shares, where that is something else; empty if nowhere."""
    usable = [name for name in job.reach.values("backbone") if check_backbone(name, needs_own_weights(job)) is None]
    told = (moved_shares(_given_shares(job), describe_backbone(name)) for name in usable)
    return "; ".join(filter(None, told))


def _given_shares(job: Job) -> list[float]:
    """The frozen shares that the job names; a range names none."""
    given = job.strategy.dump().get("freeze")
    options = given.get("choice", []) if isinstance(given, dict) else [given]
    return [one for one in options if isinstance(one, int | float)]


def _backbone(name: str, job: Job) -> BackbonePlan:
    problem = check_backbone(name, needs_own_weights(job))
    if problem:
        return BackbonePlan(name, None, None, problem)
    info = describe_backbone(name)
    return BackbonePlan(name, info.num_blocks, info.num_params, None, moved_shares(_given_shares(job), info))


def _phase(job: Job, phase: Phase, expected: float) -> PhasePlan:
    return PhasePlan(
        scheduler=phase.scheduler.kind,
        searcher=phase.searcher.kind,
        trials=phase.trials,
        epochs=phase.epochs,
        expected_epochs=round(expected, 2),
        note=_population_note(job, phase),
    )


def _materialise(
    job: Job, samples: int | None, probe: prefix_plan.Probe | None, unusable: list[str]
) -> tuple[tuple[Materialise, ...], prefix_plan.SpeedUp]:
    """What is computed once, and what that is worth."""
    if unusable:
        return (), prefix_plan.SpeedUp(1.0, 1.0)
    planned = prefix_plan.plan_prefixes(job)
    networks = {(one.prefix.backbone, one.prefix.size) for one in planned.expected}
    measured = {network: probe(*network) for network in networks} if probe else {}

    def share_below(prefix: Prefix) -> float:
        depths = measured.get((prefix.backbone, prefix.size))
        return prefix_plan.blocks_below(prefix) if depths is None or prefix.pool else depths.shares[prefix.cut]

    def size(prefix: Prefix) -> int | None:
        depths = measured.get((prefix.backbone, prefix.size))
        if depths is None or not samples or prefix.pool:
            return None
        return depths.sizes[prefix.cut] * 4 * samples * max(1, prefix.views)

    kept = [one for one in planned.expected if one.is_kept]
    found = [Materialise(**asdict(one.prefix), bytes=size(one.prefix), reads=round(one.reads, 1)) for one in kept]
    return tuple(found), planned.speed_up(share_below)


def _describe_materialise(plan: Plan) -> list[str]:
    if not plan.materialise:
        return ["every epoch through the whole network: no frozen blocks are met often enough to be stored"]
    by_backbone: dict[str, list[Materialise]] = {}
    for one in plan.materialise:
        by_backbone.setdefault(one.backbone, []).append(one)
    lines = []
    for backbone, some in by_backbone.items():
        cuts = ", ".join(f"{one.cut} ({one.reads:g} reads)" for one in some)
        sizes = [one.bytes for one in some]
        total = "" if None in sizes else f"; {sum(size or 0 for size in sizes) / 1e6:.0f} MB"
        lines.append(f"{backbone}: blocks below cut {cuts} once{total}")
    return [*lines, f"predicted speed-up {plan.predicted_speedup:g}, ceiling {plan.ceiling:g} (arithmetic alone)"]


def _population_note(job: Job, phase: Phase) -> str:
    """Who may copy from whom: weights only fit within one architecture."""
    if not phase.is_population_based:
        return "goes on from the best of the phase before" if phase.from_top else ""
    if phase.from_top:
        return "one population, of the architecture of the best trial before"
    kinds = architectures(job.strategy) or 1
    return "one population" if kinds == 1 else f"{kinds} populations, one an architecture"


def _describe_phase(one: PhasePlan) -> str:
    trials = "as many trials as fit" if one.trials is None else counted(one.trials, "trial")
    parts = [
        f"{one.scheduler} over {one.searcher}: {trials}",
        f"to epoch {one.epochs}, {one.expected_epochs:g} epochs each on average",
    ]
    return "; ".join([", ".join(parts), *([one.note] if one.note else [])])


def _describe_share(share: Allocation) -> str:
    workers = f"{share.workers} workers on " if share.workers > 1 else ""
    return f"{share.concurrent}, each {'of ' if workers else 'on '}{workers}{share.cpus:g} CPU and {share.gpus:g} GPU"


def _sample_seconds(job: Job, info: BackboneInfo, probe: Probe) -> float:
    """Seconds to train on one sample on one thread, averaged over the space's frozen shares."""
    forward = probe(info.name, max(build_modality(info.modality).sizes(job.reach_of(info.name))))
    trained = [1 - cut_index(share, info.num_blocks) / info.num_blocks for share in job.strategy.values("freeze")]
    return forward * (1 + BACKWARD * sum(trained) / len(trained))


def _describe_backbone(one: BackbonePlan) -> str:
    if one.problem:
        return one.problem
    size = f"{one.name}: {one.num_blocks} blocks, {(one.num_params or 0) / 1e6:.1f} M parameters"
    return f"{size}; {one.note}" if one.note else size


def _describe_time(plan: Plan) -> str:
    limit = f"; the budget ends it after {plan.minutes:g} min" if plan.minutes else ""
    if plan.seconds is None:
        return f"not measured (--measure does it){limit}"
    return f"about {plan.seconds / 60:.1f} min{limit}"
