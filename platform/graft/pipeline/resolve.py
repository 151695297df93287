"""Decides what a job leaves open, from its data, before anything expensive starts: task, metric, defaults."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graft.core.errors import DataError, Problem, SpecError
from graft.data.listing import Listing
from graft.modalities.registry import build_modality
from graft.models.load import check_backbone, describe_backbone
from graft.models.zoo import name_problem
from graft.pipeline.dry_build import foreign_problems, problems_in_backbones
from graft.pipeline.edits import structure_problems
from graft.pipeline.look import overview_of
from graft.pipeline.zoo.glanced import sample_problems
from graft.pipeline.zoo.mapped import init_problems, settle_sources
from graft.pipeline.zoo.meta_learned import settle_meta_models
from graft.pipeline.zoo.own_heads import headless_problems, is_headless
from graft.pipeline.zoo.own_weights import damage_problems
from graft.spec.defaults.default_space import completed, completed_first, recommended
from graft.spec.defaults.length import with_length
from graft.spec.defaults.preset import ENSEMBLES, MEANINGS, SOUP_SAMPLES
from graft.spec.defaults.scale import Scale
from graft.spec.fit import can_average, ensemble_problems, metric_problems, strategy_problems
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.modalities.presence import presence_problems
from graft.spec.registry import members
from graft.spec.search.search import AUTO
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.auto import AutoTask
from graft.spec.tasks.base import TaskSpec
from graft.tasks.infer import check_fit, how_read, infer_task


@dataclass(frozen=True)
class Reasons:
    """Why what a job left open is as it is, for people.

    Attributes:
        task: why it is this task.
        space: who says what is searched.
        preset: what the job's preset does; empty where the job has a strategy of its own.
    """

    task: str = ""
    space: str = "as the job says"
    preset: str = ""


@dataclass(frozen=True)
class Resolved:
    """A job of which nothing is open any more.

    Attributes:
        job: with its task, its metric, a strategy that fits both, what is tried first, and how long trainings are.
        reasons: why what it left open is as it is.
        listing: of its samples, if it had to be looked at.
    """

    job: Job
    reasons: Reasons
    listing: Listing | None = field(default=None, repr=False)

    @property
    def reason(self) -> str:
        """Why it is this task."""
        return self.reasons.task


def resolve_job(job: Job, look: bool = True, by_size: bool = True) -> Resolved:
    """Decide what a job leaves open. A job that is whole comes back as it is; applying it twice changes nothing.

    Args:
        job: as it was given.
        look: whether a task that the job gives is held against its samples.
        by_size: whether what follows from the number of samples is decided; data that no run can split have none.

    Raises:
        SpecError: a metric, a loss, an augmentation, a backbone or a key of the strategy does not belong to the task or
            to the samples, or a component of another package cannot be imported; all such problems.
        DataError: the labels are none that the task can have.
    """
    try:
        task, reason, listing = task_of(job, look)
    except DataError as error:  # it must not hide what does not depend on the samples
        missing = [*presence_problems(job.data)]
        if others := [*missing, *_unknown_backbones(job), *_unusable_backbones(job), *damage_problems(job)]:
            raise SpecError([*([] if missing else [Problem("", str(error))]), *others]) from error
        raise
    raw = job.model_dump(mode="json")
    raw["task"] = task.model_dump(mode="json")
    problems = [*metric_problems(job, task)]
    if problems:  # what is told already must not hide what else is wrong
        raw["search"]["budget"]["target"] = None
    if problems or job.search.metric == AUTO:
        raw["search"]["metric"] = task.default_metric
    raw["strategy"] = completed(job.strategy.dump(), job.data, task)
    if job.search.first is not None or job.strategy.dump():
        raw["search"]["first"] = [completed_first(one.dump(), raw["strategy"]) for one in job.search.first or ()]
    problems += [*settle_sources(raw), *settle_meta_models(raw)]
    whole = parse_job(raw)
    problems += [*strategy_problems(whole, task), *ensemble_problems(whole, task)]
    if unusable := [*_unknown_backbones(whole), *_unusable_backbones(whole)]:
        raise SpecError([*problems, *unusable])  # what else there is to say of a network needs one
    problems += [
        *damage_problems(whole),
        *headless_problems(whole, is_headless),
        *sample_problems(whole, lambda name: describe_backbone(name).modality),
        *structure_problems(whole),
        *_modality_problems(whole),
        *([] if problems else init_problems(whole)),
        *foreign_problems(whole),
        *problems_in_backbones(whole),
    ]
    if problems:
        raise SpecError(problems)
    if look and by_size and _is_open(job):
        whole = _decided_by_size(job, whole, listing)
    usual = Reasons(reason, "the default for such data and task", f"{job.preset}: {MEANINGS[job.preset]}")
    reasons = Reasons(reason) if job.strategy.dump() else usual
    return Resolved(whole, reasons, listing)


def _is_open(job: Job) -> bool:
    """Whether something in it follows from how many samples there are."""
    return job.training.epochs is None or not job.strategy.dump()


def _decided_by_size(given: Job, whole: Job, listing: Listing | None) -> Job:
    """What is searched and tried first, where the job does not say it, and how long trainings are."""
    overview = overview_of(whole, listing)
    splits, budget, gpus = overview.splits, whole.search.budget, whole.resources.gpus_per_worker
    scale = Scale(
        splits["train"],
        splits["validation"],
        budget.minutes,
        0.0 if gpus == "auto" else gpus,
        outputs=len(overview.names),
        trials=budget.trials,
        preset=given.preset,
    )
    filled = whole if given.strategy.dump() else _recommended(given, whole, scale)
    return filled if given.training.epochs else with_length(filled, scale)


def _recommended(given: Job, whole: Job, scale: Scale) -> Job:
    """With what is searched and tried first for samples of this kind and so many."""
    raw, found = whole.model_dump(mode="json"), recommended(whole.data, whole.decided_task, scale)
    raw["strategy"] = dict(found.space)
    if given.search.first is None:
        raw["search"]["first"] = [] if whole.phases[0].is_population_based else list(found.first)
        solved = sum(StrategySpace.parse(one).only().head.is_solved for one in raw["search"]["first"])
        if whole.search.budget.trials is None and whole.search.budget.limits_trials_only and not whole.search.phases:
            raw["search"]["budget"]["trials"] = (whole.search.budget.most_trials or 0) + solved
    if "tta" not in given.export.model_fields_set:
        raw["export"]["tta"] = found.views
    is_open = not {"final_on", "fit"} & given.training.model_fields_set
    if is_open and scale.preset == "best" and scale.training >= SOUP_SAMPLES:
        raw["training"] |= {"final_on": "train", "fit": {**raw["training"]["fit"], "soup": "greedy"}}
    if is_open and can_average(whole) and all(one.takes_ensembles for one in whole.export.formats):
        raw["training"]["fit"]["ensemble"] = ENSEMBLES[scale.preset]
    return parse_job(raw)


def task_of(job: Job, look: bool) -> tuple[TaskSpec, str, Listing | None]:
    """The task of a job, why it is this one, and the listing of its samples if it had to be looked at.

    Raises:
        DataError: the labels are none that the task can have.
    """
    hint = job.data.task_hint
    if not isinstance(job.task, AutoTask):
        if not look or (hint is not None and hint[0] == job.task.kind):
            return job.task, "given by the job", None
        listing = listing_of(job)
        check_fit(job.task, listing.targets, listing.source)
        return job.task, f"given by the job{how_read(job.task, listing.targets)}", listing
    if hint is not None:
        return job.decided_task, hint[1], None
    listing = listing_of(job)
    kind, reason = infer_task(listing.targets)
    found = members("task")[kind].model_validate({})
    assert isinstance(found, TaskSpec)
    check_fit(found, listing.targets, listing.source)
    return found, reason, listing


def listing_of(job: Job) -> Listing:
    """Everything that the source of a job holds, as its modality lists it."""
    return build_modality(job.data.modality).list(job.data)


def _modality_problems(job: Job) -> Iterator[Problem]:
    return build_modality(job.data.modality).problems(job.reach)


def _unknown_backbones(job: Job) -> Iterator[Problem]:
    for name in job.reach.values("backbone"):
        if told := name_problem(name):
            yield Problem("strategy.backbone", told)


def _unusable_backbones(job: Job) -> Iterator[Problem]:
    """Those of a known form of which there is no network: a folder that is not there, a name that no library has."""
    for name in job.reach.values("backbone"):
        if name_problem(name) is None and (told := check_backbone(name, weights=False)):
            yield Problem("strategy.backbone", f"is {name}, but {told}")
