"""Builds the components of other packages once, on next to nothing, before a run: a fault of theirs should not be
found by the first trial of a search. Nor should a tuning that finds nothing to train, or a chance without a place."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graft.core.errors import DataError, Problem, SpecError
from graft.data.targets import RawTargets, Targets
from graft.learner.prefix_plan import drawn_strategies
from graft.models.load import describe_backbone
from graft.models.zoo import has_backbone
from graft.spec.base import Component
from graft.spec.components.activation_penalty import ActivationPenaltySpec
from graft.spec.job import Job
from graft.spec.registry import build, implementation, members, package_of
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.tasks.protocol import Task
from graft.tasks.registry import build_task
from graft.transfer.frozen_part import frozen_part

FEATURES, OUTPUTS = 8, 3
"""Of the network that components are tried on."""

_CHANCES = ("drop_path", "backbone_dropout", "stochastic_norm")
"""Keys of a strategy that need a place in the blocks."""

_GROUP_OF_KEY = {
    "init": "initialisation",
    "tune": "tuning",
    "unfreeze": "unfreezing",
    "augment": "augmentation",
    "select": "selection",
}


def foreign_problems(job: Job) -> Iterator[Problem]:
    """What is wrong with the components of other packages that a job names; ours are not looked at."""
    for where, spec in _foreign(job):
        try:
            if spec.built_by:
                implementation(spec)
                _attempt(where, spec, job)
        except SpecError as error:
            yield from (Problem(where, problem.message) for problem in error.problems)


def problems_in_backbones(job: Job) -> Iterator[Problem]:
    """What strategies ask of a backbone in vain: a tuning that finds nothing to train, a chance without a place.

    They are tried on the whole backbone, with random weights, at every depth at which the job freezes it.
    """
    told: dict[tuple[str, str], None] = {}
    for name, strategies in _demanding(job).items():
        told |= dict.fromkeys((one.where, one.message) for one in _in_vain(name, strategies))
    yield from (Problem(where, message) for where, message in told)


def _demanding(job: Job) -> Mapping[str, list[Strategy]]:
    """By backbone, the strategies that differ in what they need to find in it."""
    found: dict[str, dict[tuple[Any, ...], Strategy]] = {}
    if not _may_demand(job.reach):
        return {}
    rng = random.Random(job.search.seed)
    firsts = [one.sample(rng) for one in job.search.first or ()]
    for drawn in (*firsts, *drawn_strategies(job)):
        if has_backbone(drawn.backbone) and (demand := _demand_of(drawn)) != ((),):
            num_blocks = describe_backbone(drawn.backbone).num_blocks
            part = frozen_part(drawn, num_blocks)
            found.setdefault(drawn.backbone, {})[(part.cut, part.stop, *demand)] = drawn
    return {name: [*some.values()] for name, some in found.items()}


def _may_demand(space: StrategySpace) -> bool:
    chances = any(any(one not in (None, 0) for one in space.values(key)) for key in _CHANCES)
    return chances or bool({*space.values("tune")} - {"all", "surgical"})


def _demand_of(strategy: Strategy) -> tuple[Any, ...]:
    tune = strategy.tune
    tuned = () if tune.kind in ("all", "surgical") else (tune.kind, getattr(tune, "targets", ()))
    return (tuned, *(key for key in _CHANCES if getattr(strategy, key)))


def _in_vain(name: str, strategies: Iterable[Strategy]) -> Iterator[Problem]:
    from torch import nn

    from graft.models.load import load_backbone
    from graft.models.network import Network
    from graft.transfer.adapt import tune
    from graft.transfer.freezing import AdaptedModel
    from graft.transfer.stochastic import make_stochastic
    from graft.transfer.tuning.adapters import merge_adapters

    network = Network(load_backbone(name, pretrained=False).backbone, nn.Identity())
    num_blocks = len(network.backbone.blocks)
    for strategy in strategies:
        part = frozen_part(strategy, num_blocks)
        model = AdaptedModel(network, part.cut)
        attempts = (
            lambda model=model, one=strategy: make_stochastic(model, one),
            lambda model=model, one=strategy, redrawn=part.redrawn: tune(model, one, num_blocks - redrawn, seed=0),
        )
        for attempt in attempts:
            try:
                attempt()
            except SpecError as error:
                where = f"(of {name}, freeze {strategy.freeze:g})"
                yield from (Problem(one.where, f"{one.message} {where}") for one in error.problems)
        merge_adapters(network)


def _foreign(job: Job) -> Iterator[tuple[str, Component]]:
    named: list[tuple[str, Any]] = [("data", job.data), ("task", job.task)]
    for phase in job.phases:
        named += [("search.scheduler", phase.scheduler), ("search.searcher", phase.searcher)]
    named += [("export.formats", spec) for spec in job.export.formats]
    for key in (*_GROUP_OF_KEY, "penalty", "head", "loss", "optimizer", "schedule", "mix"):
        known = members(_GROUP_OF_KEY.get(key, key))
        # A kind with parameters that must be given has no defaults to be tried with; its trials will.
        whole = [one for one in map(known.get, job.reach.values(key)) if one and not _needs_more(one)]
        named += [(f"strategy.{key}", one.model_validate({})) for one in whole]
    yield from ((where, spec) for where, spec in named if package_of(type(spec)) != "graft")


def _needs_more(spec: type[Component]) -> bool:
    return any(info.is_required() for name, info in spec.model_fields.items() if name != "kind")


def _attempt(where: str, spec: Component, job: Job) -> None:
    """Build a component as a trial would, where that needs no data."""
    tries: Mapping[str, Callable[[Component, Job], Any]] = {
        "task": lambda one, _: build(one),
        "strategy.penalty": _penalty,
        "strategy.head": lambda one, _: build(one, FEATURES, OUTPUTS),
        "strategy.loss": _loss,
        "strategy.optimizer": _optimizer,
        "strategy.schedule": lambda one, _: build(one, 0, 2),
        "strategy.augment": lambda one, job: build(one, job.data),
        "strategy.mix": lambda one, _: build(one),
    }
    attempt = tries.get(where)
    if attempt is not None:
        attempt(spec, job)


def _penalty(spec: Component, job: Job) -> Any:
    from torch import nn

    from graft.transfer.parameter_groups import TrainableParts

    if isinstance(spec, ActivationPenaltySpec):
        return build(spec, _model(), range(1))
    head = {f"head.{name}": one for name, one in nn.Linear(FEATURES, OUTPUTS).named_parameters()}
    return build(spec, TrainableParts(head=head))


def _model() -> Any:
    """A network of one block."""
    from torch import nn

    from graft.models.backbone import Backbone
    from graft.models.network import Network
    from graft.transfer.freezing import AdaptedModel

    backbone = Backbone(nn.Identity(), [nn.Linear(FEATURES, FEATURES)], nn.Identity(), FEATURES)
    return AdaptedModel(Network(backbone, nn.Linear(FEATURES, OUTPUTS)), 0)


def _loss(spec: Component, job: Job) -> Any:
    import torch

    task = build_task(job.decided_task)
    targets = next((found for values in _LABELS if (found := _read(task, values)) is not None), None)
    if targets is None:  # a task of another package, with labels that nobody here can guess
        return None
    facts = task.facts(targets.values, targets.names)
    return build(spec, targets.values, facts, torch.device("cpu"))


# Labels of which every task can read some.
_LABELS = (np.array([0.0, 1.0, 2.0] * 4), np.array(["a;b", "b", "c"] * 4, dtype=object))


def _read(task: Task, values: np.ndarray) -> Targets | None:
    try:
        return task.read(RawTargets(values), "an example")
    except DataError:
        return None


def _optimizer(spec: Component, job: Job) -> Any:
    from torch import nn

    parameters = list(nn.Linear(FEATURES, OUTPUTS).parameters())
    group = {"name": "head", "params": parameters, "names": ["w", "b"], "lr": 1e-3, "weight_decay": 0.0}
    return build(spec, [group])
