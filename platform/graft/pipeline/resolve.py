"""Decides what a job leaves open, from its data, before anything expensive starts: task, metric, defaults."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from graft.core.errors import Problem, SpecError
from graft.data.listing import Listing
from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
from graft.models.zoo import has_backbone
from graft.pipeline.dry_build import foreign_problems
from graft.spec.default_space import completed, completed_first
from graft.spec.fit import metric_problems, strategy_problems, taken_by
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.registry import members
from graft.spec.search.search import AUTO
from graft.spec.tasks.auto import AutoTask
from graft.spec.tasks.base import TaskSpec
from graft.tasks.infer import check_fit, infer_task


@dataclass(frozen=True)
class Resolved:
    """A job of which nothing is open any more.

    Attributes:
        job: with its task, its metric, and a strategy that fits both.
        reason: why it is this task, for people.
        listing: of its samples, if it had to be looked at.
    """

    job: Job
    reason: str
    listing: Listing | None = field(default=None, repr=False)


def resolve_job(job: Job, look: bool = True) -> Resolved:
    """Decide what a job leaves open. A job that is whole comes back as it is; applying it twice changes nothing.

    Args:
        job: as it was given.
        look: whether a task that the job gives is held against its samples.

    Raises:
        SpecError: a metric, a loss, an augmentation, a backbone or a key of the strategy does not belong to the task or
            to the samples, or a component of another package cannot be imported; all such problems.
        DataError: the labels are none that the task can have.
    """
    task, reason, listing = _task_of(job, look)
    raw = job.model_dump(mode="json")
    raw["task"] = task.model_dump(mode="json")
    problems = [*metric_problems(job, task)]
    if problems:  # what is told already must not hide what else is wrong
        raw["search"]["budget"]["target"] = None
    if problems or job.search.metric == AUTO:
        raw["search"]["metric"] = task.default_metric
    raw["strategy"] = completed(job.strategy.dump(), job.data, task)
    raw["search"]["first"] = [completed_first(one.dump(), raw["strategy"]) for one in job.search.first or ()]
    whole = parse_job(raw)
    problems += [
        *strategy_problems(whole, task),
        *_backbone_problems(whole),
        *_modality_problems(whole),
        *foreign_problems(whole),
    ]
    if problems:
        raise SpecError(problems)
    return Resolved(whole, reason, listing)


def _task_of(job: Job, look: bool) -> tuple[TaskSpec, str, Listing | None]:
    hint = job.data.task_hint
    if not isinstance(job.task, AutoTask):
        if not look or (hint is not None and hint[0] == job.task.kind):
            return job.task, "given by the job", None
        listing = listing_of(job)
        check_fit(job.task.kind, listing.targets, listing.source)
        return job.task, "given by the job", listing
    if hint is not None:
        return job.decided_task, hint[1], None
    listing = listing_of(job)
    kind, reason = infer_task(listing.targets)
    found = members("task")[kind].model_validate({})
    assert isinstance(found, TaskSpec)
    check_fit(kind, listing.targets, listing.source)
    return found, reason, listing


def listing_of(job: Job) -> Listing:
    """Everything that the source of a job holds, as its modality lists it."""
    return build_modality(job.data.modality).list(job.data)


def _modality_problems(job: Job) -> Iterator[Problem]:
    return build_modality(job.data.modality).problems(job.reach)


def _backbone_problems(job: Job) -> Iterator[Problem]:
    modality = job.data.modality
    for name in job.reach.values("backbone"):
        if not has_backbone(name):
            continue  # said by `check_job`, with the nearest names
        takes = describe_backbone(name).modality
        if takes != modality:
            told = f"is {name}, which takes {taken_by(takes)}, but the data are {taken_by(modality)}; name another"
            yield Problem("strategy.backbone", told)
