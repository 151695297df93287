"""Which keys of a strategy may change while a model is trained, and which strategies can share weights."""

import math
import re
from collections.abc import Mapping, Sequence

from graft.spec.messages.rules import Finding, Path
from graft.spec.messages.sentences import must_be_one_of
from graft.spec.registry import members
from graft.spec.search.schedulers import Pb2
from graft.spec.space.distributions import Choice, Range
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.space.space import StrategySpace

MUTABLE = (
    "lr",
    "head_lr_factor",
    "weight_decay",
    "freeze",
    "penalty",
    "loss",
    "augment",
    "mix",
    "head.dropout",
    "momentum",
)
"""What may change during training: nothing here changes the shape of a weight or the kind of the optimiser."""

SHAPING = ("head", "standardise", "select", "structure")
"""What, beside the backbone, decides which weights there are (`Strategy.architecture`)."""

_INSIDE = {"head.dropout": ("head", "dropout"), "momentum": ("optimizer", "momentum")}


def is_mutable(key: str) -> bool:
    """Whether a dotted key of a space (`StrategySpace.distributions`) may change while a model is trained."""
    return _name(key) is not None


def mutated_keys(space: StrategySpace, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The dotted keys that a population may change: those with a distribution that are mutable, and wanted.

    Args:
        space: where the distributions are.
        wanted: names of `MUTABLE`; None is all of them.
    """
    return tuple(key for key in space.distributions() if _name(key) and (wanted is None or _name(key) in wanted))


def mutation_findings(space: StrategySpace, scheduler: object, wanted: Sequence[str] | None) -> list[Finding]:
    """What is wrong with what a population is asked to change; paths are relative to the scheduler."""
    findings = []
    varied = {_name(key) for key in space.distributions()}
    for index, name in enumerate(wanted or ()):
        if name not in MUTABLE:
            told = f"is `{name}`, which cannot change during training; it {must_be_one_of(MUTABLE)}"
            findings.append(Finding(("mutate", index), told))
        elif name not in varied:
            told = f"is `{name}`, but `strategy` gives it one value; give it a distribution, or leave it out here"
            findings.append(Finding(("mutate", index), told))
    if findings:
        return findings
    keys = mutated_keys(space, wanted)
    found = space.distributions()
    if "freeze" in (_name(key) for key in keys) and any(_has_adapters(one) for one in _tunes(space)):
        told = "changes freeze, but `strategy.tune` has adapters, which lie above the frozen part: leave `freeze` out"
        return [Finding(("mutate",) if wanted else (), told)]
    if not keys:
        told = f"has nothing to change: give one of {', '.join(MUTABLE)} a distribution in `strategy`"
        return [Finding((), told)]
    if isinstance(scheduler, Pb2) and not any(isinstance(found[key], Range) for key in keys):
        return [
            Finding((), "needs a range to learn on: give lr or weight_decay a `uniform` or `loguniform`; or use pbt")
        ]
    return []


def architectures(space: StrategySpace) -> int | None:
    """How many architectures (`Strategy.architecture`) a space holds; None if there is no end to them."""
    fields = dict(space.root.fields)
    backbones = len(space.values("backbone"))
    found: list[int | None] = [backbones]
    found += [_shapes(fields[name]) for name in SHAPING if name in fields]
    found += [_tunings(fields["tune"], fields)] if "tune" in fields else []
    return None if None in found else math.prod(one or 0 for one in found)


def solved_finding(space: StrategySpace) -> Finding | None:
    """A head that is solved, in a space whose members train on from each other's weights."""
    known = members("head")
    for kind in space.values("head"):
        if getattr(known[kind], "solved_by", ""):
            told = f"is {kind}, which is solved at once, but the members of a population are trained; take another"
            return Finding(("strategy", "head"), told)
    return None


def population_finding(space: StrategySpace, population: int, at: Path) -> Finding | None:
    """Why a population cannot be split by architecture: weights can only be copied within one."""
    kinds = architectures(space)
    if kinds is not None and population >= 2 * kinds:
        return None
    if kinds is None:
        drawn = (name for name, node in space.root.fields if name in SHAPING and _shapes(node) is None)
        key = next(drawn, "tune")
        told = f"is split by architecture, but `strategy.{key}` draws its shape from a range; use `choice` there"
    else:
        told = (
            f"is {population}, but `strategy` has {kinds} architectures (backbone, structure, head), and weights are "
            f"copied only within one: it must be >= {2 * kinds}; or leave fewer"
        )
    return Finding(at, told)


def _name(key: str) -> str | None:
    """Which of `MUTABLE` a dotted key belongs to, or None."""
    # Options of a choice that have no name of their own are counted: `penalty[1].l2.strength`.
    parts = re.sub(r"\[\d+\]", "", key).split(".")
    for name, (component, field) in _INSIDE.items():
        if parts[0] == component and parts[-1] == field:
            return name
    return parts[0] if parts[0] in MUTABLE else None


def _tunings(tune: Node, fields: Mapping[str, Node]) -> int | None:
    """Tunings without adapters are one architecture together; each set of adapters is one for each depth it has."""
    options = tune.options if isinstance(tune, Choice) else (tune,)
    adapted = [option for option in options if isinstance(option, Component) and _has_adapters(option)]
    depths = [_shapes(fields[name]) for name in ("freeze", "init") if name in fields]
    shapes = [_shapes(option) for option in adapted]
    if adapted and None in [*depths, *shapes]:
        return None
    per_shape = math.prod(count or 0 for count in depths)
    return sum((count or 0) * per_shape for count in shapes) + (len(adapted) < len(options))


def _tunes(space: StrategySpace) -> list[Component]:
    tune = dict(space.root.fields).get("tune")
    options = tune.options if isinstance(tune, Choice) else (tune,)
    return [option for option in options if isinstance(option, Component)]


def _has_adapters(tune: Component) -> bool:
    spec = members("tuning").get(tune.kind or "")
    return bool(getattr(spec, "has_adapters", False))


def _shapes(head: Node) -> int | None:
    match head:
        case Value():
            return 1
        case Choice(options):
            counts = [_shapes(option) for option in options]
            return None if None in counts else sum(count or 0 for count in counts)
        case Component(_, fields):
            product = 1
            for name, node in fields:
                if name == "dropout" or isinstance(node, Value):
                    continue
                inside = _shapes(node)
                if inside is None:
                    return None
                product *= inside
            return product
        case _:
            return None
