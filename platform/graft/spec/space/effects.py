"""Which fields of a strategy have an effect only beside others, and which of a job's have none at all."""

import random
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from graft.spec.components.skip import Depth
from graft.spec.registry import members
from graft.spec.space.enumeration import strategies_in
from graft.spec.space.nodes import Component
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy, behind_solved_head

_TRAINED = "blocks are trained (freeze is below 1, or blocks start at random)"
_PRETRAINED = "pretrained blocks are trained (freeze is below 1, and not all blocks start at random)"
_HEAD_ALONE = "freeze is 1, and no block starts at random"

NEEDS = {
    "structure.deepen": _TRAINED,
    "structure.widen": _TRAINED,
    "tune": _PRETRAINED,
    "unfreeze": _PRETRAINED,
    "penalty": "it pulls something that is trained: towards the start only what came from it",
    "head_start": "head is linear",
    "head_lr_factor": "freeze is below 1, or blocks start at random",
    "lr_decay": "more than one block is trained",
    "standardise": _HEAD_ALONE,
    "select": _HEAD_ALONE,
    "drop_path": _TRAINED,
    "backbone_dropout": _TRAINED,
    "stochastic_norm": _TRAINED,
}
"""Fields that have no effect elsewhere: there, `Strategy.canonical` sets them to what they are by default."""

_TRAINED_HEAD = "head is trained, not solved"
_DRAWS = 64
"""Strategies that are looked at of a space with more."""


def needs_of(space: StrategySpace, key: str) -> str | None:
    """Where a field of a space has an effect, in words; None where it always has.

    Args:
        space: which.
        key: of the field, as `graft.spec.space.tree.tree_of` has it.
    """
    found = [NEEDS[key]] if key in NEEDS else []
    if key in Strategy.model_fields and key not in _of_solved_heads() and _may_be_solved(space):
        found.insert(0, _TRAINED_HEAD)
    return "; ".join(found) or None


def idle(given: StrategySpace, space: StrategySpace, depth: Callable[[Strategy], int | Depth | None]) -> list[str]:
    """What a job asks of its strategies in vain, one sentence each: no strategy of it is another one for that.

    Args:
        given: the space as the job has it: only what it names is told.
        space: the whole one.
        depth: blocks of a strategy's backbone; None if unknown.
    """
    keys = [key for key in _keys(given.root) if needs_of(space, key)]
    if not keys:
        return []
    drawn = [(one, one.canonical(depth(one))) for one in _some(space)]
    return [told for key in keys if (told := _idle(key, drawn))]


def _idle(key: str, drawn: list[tuple[Strategy, Strategy]]) -> str:
    usual = _value(Strategy(), key)
    asked = [(one, simple) for one, simple in drawn if _value(one, key) != usual]
    if not asked or any(_value(simple, key) != usual for _, simple in asked):
        return ""
    if all(one.head.is_solved for one, _ in asked):
        return f"strategy.{key} has no effect here; it has one where {_TRAINED_HEAD}"
    if key == "head_lr_factor":  # with nothing but the head to train, it is a factor of `lr`
        return ""
    return f"strategy.{key} has no effect here; it has one where {NEEDS[key]}" if key in NEEDS else ""


def _some(space: StrategySpace) -> list[Strategy]:
    size = space.grid_size()
    if size is not None and size <= _DRAWS:
        return list(strategies_in(space))
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(_DRAWS)]


def _keys(root: Component) -> Iterator[str]:
    for name, node in root.fields:
        yield name
        if isinstance(node, Component) and node.kind is None:
            yield from (f"{name}.{inner}" for inner, _ in node.fields)


def _value(strategy: Strategy, key: str) -> Any:
    return reduce(getattr, key.split("."), strategy)


def _of_solved_heads() -> frozenset[str]:
    """Keys that have an effect beside a head that is solved; its frozen share is always 1."""
    return frozenset({*behind_solved_head(), "freeze"})


def _may_be_solved(space: StrategySpace) -> bool:
    return any(getattr(members("head").get(kind), "solved_by", "") for kind in space.values("head"))
