"""All strategies of a finite space, and how many of them train different models."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from graft.spec.components.skip import Depth
from graft.spec.space.distributions import Choice, RandInt
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

MOST = 5000
"""A space with more strategies is not counted out."""


def strategies_in(space: StrategySpace) -> Iterator[Strategy]:
    """Every strategy of a space, in the order of its keys and options.

    Raises:
        ValueError: there is no end to them.
    """
    if space.grid_size() is None:
        raise ValueError("the space holds a continuous range, so there is no end to its strategies")
    return (Strategy.model_validate(plain) for plain in _every(space.root))


def distinct(space: StrategySpace, depth: Callable[[Strategy], int | Depth | None]) -> int | None:
    """How many models a space can train: strategies that differ in their canonical form.

    Args:
        space: which.
        depth: blocks of a strategy's backbone; None if unknown.

    Returns:
        None if there is no end to them, or if there are more than `MOST` to look at.
    """
    size = space.grid_size()
    if size is None or size > MOST:
        return None
    return len({strategy.canonical(depth(strategy)).key() for strategy in strategies_in(space)})


def _every(node: Node) -> Iterator[Any]:
    match node:
        case Value(value):
            yield value
        case RandInt(low, high):
            yield from range(low, high + 1)
        case Choice(options):
            for option in options:
                yield from _every(option)
        case Component(kind, fields):
            own = {"kind": kind} if kind else {}
            for values in itertools.product(*(list(_every(inner)) for _, inner in fields)):
                yield own | dict(zip((name for name, _ in fields), values, strict=True))
