"""Whether the parts of a job fit its task and its samples: all that can be told without looking at either."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from graft.core.errors import Problem
from graft.spec.augmentation.mixing import Mix, NoMix
from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.components.augmentation import Augmentation
from graft.spec.components.head import HeadSpec
from graft.spec.job import Job
from graft.spec.registry import members
from graft.spec.search.search import AUTO
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import modality_fields
from graft.spec.tasks.base import LossSpec, TaskSpec


def metric_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """A metric, or a target in one, that the task is not judged by."""
    metric, target = job.search.metric, job.search.budget.target
    if metric == AUTO and isinstance(target, dict) and task.default_metric not in target:
        usual = f"must be one of `{task.default_metric}`, by which task {task.kind} is judged; or set search.metric"
        yield Problem("search.budget.target", f"is a value of `{next(iter(target))}`, but {usual}")
    if metric != AUTO and task.metric(metric) is None:
        known = ", ".join(metric.name for metric in task.metrics)
        told = f"is `{metric}`, but task {task.kind} is judged by one of {known}"
        yield Problem("search.metric", told)
    yield from _target_problems(job, task)


def _target_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """A target that no model can reach: the search would not end by it."""
    value, target = job.search.budget.target_value, job.search.budget.target
    name = task.default_metric if job.search.metric == AUTO else job.search.metric
    metric = task.metric(name)
    if value is None or metric is None or (isinstance(target, dict) and name not in target):
        return
    if not metric.is_possible(value):
        bounds = [("at least", metric.lowest), ("at most", metric.highest)]
        rule = " and ".join(f"{side} {bound:g}" for side, bound in bounds if math.isfinite(bound))
        yield Problem("search.budget.target", f"is {value:g}, but {name} is {rule}; name a value that it can have")


def can_average(job: Job) -> bool:
    """Whether answers of several networks can be averaged: the task says how its outputs are read."""
    return bool(job.decided_task.link)


def ensemble_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """An ensemble of answers that cannot be averaged, or of a form that holds one network."""
    asked = job.training.fit.ensemble
    if asked == "off":
        return
    if not task.link:
        told = f"is {asked}, but answers to task {task.kind} cannot be averaged; set it to off"
        yield Problem("training.fit.ensemble", told)
    for spec in job.export.formats:
        if not spec.takes_ensembles:
            told = f"is {asked}, but export.formats has {spec.kind}, which holds one network; set it to off"
            yield Problem("training.fit.ensemble", told)


def strategy_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """Losses of another task; augmentations and keys of another modality; augmentations that change the label."""
    space, modality = job.reach, job.data.modality
    losses = members("loss")
    for kind in space.values("loss"):
        loss = losses[kind]
        if issubclass(loss, LossSpec) and loss.tasks and task.kind not in loss.tasks:
            fitting = [name for name, one in losses.items() if _fits(one, task)]
            yield Problem("strategy.loss", f"is {kind}, but task {task.kind} takes one of {', '.join(fitting)}")
    for kind in space.values("augment"):
        wanted = getattr(members("augmentation")[kind], "modality", None)
        if wanted not in (None, modality):
            yield Problem(
                "strategy.augment",
                f"is {kind}, which changes {taken_by(wanted)}, but the data are {taken_by(modality)}; leave it out",
            )
    for kind, given in _given(space.dump().get("augment", "none")):
        augmentation = members("augmentation")[kind]
        if issubclass(augmentation, Augmentation) and (told := augmentation.misfit(given, job.data)):
            yield Problem("strategy.augment", told)
    yield from _init_problems(space)
    yield from _mix_problems(job, task)
    yield from _penalty_problems(job, task)
    yield from _head_problems(job, task)
    if "episodes" in dict(space.root.fields):
        told = "is given, but belongs to jobs with `kind: meta`, which say it in `start`, `adapter` and `tasks`"
        yield Problem("strategy.episodes", f"{told}; leave it out")
    for name, owner in modality_fields().items():
        if owner != modality and any(value is not None for value in space.values(name)):
            told = f"is given, but belongs to {taken_by(owner)}, and the data are {taken_by(modality)}; leave it out"
            yield Problem(f"strategy.{name}", told)


def _penalty_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """Penalties that cannot see what they look at, or whose targets the task has not; batch norm that is compiled."""
    if job.training.compile and any(job.reach.values("stochastic_norm")):
        told = "is given, but training.compile is true, and compiled code has its batch norms fixed; leave one out"
        yield Problem("strategy.stochastic_norm", told)
    for kind in job.reach.values("penalty"):
        penalty = members("penalty")[kind]
        if not issubclass(penalty, ActivationPenaltySpec):
            continue
        if penalty.tasks and task.kind not in penalty.tasks:
            told = f"is {kind}, which belongs to task {', '.join(penalty.tasks)}, but the task is {task.kind}"
            yield Problem("strategy.penalty", f"{told}; take another")
        if job.training.compile:
            told = f"is {kind}, which looks into the network, but training.compile is true and compiled code hides it"
            yield Problem("strategy.penalty", f"{told}; leave one of them out")


def _init_problems(space: StrategySpace) -> Iterator[Problem]:
    """Weights that come from nowhere."""
    for kind, given in _given(space.dump().get("init", "pretrained")):
        if "source" in members("initialisation")[kind].model_fields and not given.get("source"):
            told = "is empty, but must name what the weights come from: a backbone, a file, a bundle, or models:/NAME"
            yield Problem("strategy.init.source", told)


def _mix_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """Samples, targets or losses that cannot be mixed."""
    for kind in job.reach.values("mix"):
        mix = members("mix")[kind]
        if not issubclass(mix, Mix) or mix is NoMix:
            continue
        if mix.modality not in (None, job.data.modality):
            told = f"mixes {taken_by(mix.modality)}, but the data are {taken_by(job.data.modality)}"
            yield Problem("strategy.mix", f"is {kind}, which {told}; leave it out")
        elif mix.tasks and task.kind not in mix.tasks:
            fitting = [name for name, one in members("mix").items() if issubclass(one, Mix) and _takes(one, task)]
            yield Problem("strategy.mix", f"is {kind}, but task {task.kind} takes one of {', '.join(fitting)}")
        for name in job.reach.values("penalty"):
            if getattr(members("penalty")[name], "compares", False):
                told = f"is {kind}, but the penalty {name} compares labels, and a mixed sample has two; leave one out"
                yield Problem("strategy.mix", told)
        for name in job.reach.values("loss"):
            loss = members("loss")[name]
            if issubclass(loss, LossSpec) and not loss.takes_mixed:
                told = f"is {kind}, but the loss {name} takes no mixed targets; name another loss, or leave mix out"
                yield Problem("strategy.mix", told)


def _head_problems(job: Job, task: TaskSpec) -> Iterator[Problem]:
    """Heads that are solved, on what cannot be solved. Where others can be drawn too, theirs is the whole space."""
    heads = {kind: members("head")[kind] for kind in job.strategy.values("head")}
    solved = {kind: one for kind, one in heads.items() if issubclass(one, HeadSpec) and one.solved_by}
    for kind, one in solved.items():
        if task.link not in one.links:
            told = f"is {kind}, which cannot be fitted to task {task.kind}; take another head"
            yield Problem("strategy.head", told)
    if "closed_form" in job.strategy.values("head_start") and "linear" not in heads:
        told = f"is closed_form, which starts a linear head, but strategy.head is {next(iter(heads))}; leave it out"
        yield Problem("strategy.head_start", told)
    if not solved or len(solved) < len(heads):
        return
    kind = next(iter(solved))
    lowest = min(job.strategy.values("freeze"))
    if lowest < 1:
        told = f"is {lowest:g}, but head {kind} is solved on features that stay as they are; set it to 1"
        yield Problem("strategy.freeze", told)
    for init in job.strategy.values("init"):
        if init == "reinitialise":
            told = f"is {init}, but head {kind} is solved on pretrained features; leave it out"
            yield Problem("strategy.init", told)


def _takes(mix: type[Mix], task: TaskSpec) -> bool:
    return not mix.tasks or task.kind in mix.tasks


def _given(raw: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The components that a key of a space may be, by kind, with what is given of each."""
    if isinstance(raw, str):
        yield raw, {}
    elif "choice" in raw:
        yield from (one for option in raw["choice"] for one in _given(option))
    else:
        yield raw["kind"], raw


def taken_by(modality: str | None) -> str:
    """What the samples of a modality are called, for messages."""
    found = members("modality").get(modality or "")
    return getattr(found, "takes", "") or str(modality)


def _fits(loss: type[Any], task: TaskSpec) -> bool:
    return issubclass(loss, LossSpec) and (not loss.tasks or task.kind in loss.tasks)
