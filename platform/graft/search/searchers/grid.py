"""Grid search."""

import math
import random
from collections.abc import Sequence
from typing import Any

from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import GridSearcher
from graft.spec.space.distributions import Choice, RandInt, Range
from graft.spec.space.nodes import Component, Node, Value
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


class GridSearch:
    """Every combination once; what is inside an option is combined only with that option.

    A range is tried at `points` evenly spaced quantiles, both bounds among them (loguniform: evenly spaced orders of
    magnitude; randint: at most all its numbers).

    The order is diagonal: from one draw to the next every key goes to its next value, in an order shuffled by the
    seed, so that n draws have seen every key at n different values, or at all it has. Once the keys would come to a
    combination again, the later ones are shifted by one. So any number of first draws is a fair sample of the grid.

    Args:
        spec: points on each range.
        space: what may be drawn.
        metric: without effect.
        seed: of the order.
    """

    def __init__(self, spec: GridSearcher, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._grid = _Grid(spec.points, seed)
        self._root = space.root
        self.size = self._grid.size(space.root)

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy | None:
        """The `index`-th combination; None behind the last."""
        if index >= self.size:
            return None
        return Strategy.model_validate(self._grid.at(self._root, index, ""))


class _Grid:
    """Numbers the points of every node: a bijection from 0 … size - 1, which is never listed."""

    def __init__(self, points: int, seed: int) -> None:
        self._points = points
        self._seed = seed

    def size(self, node: Node) -> int:
        match node:
            case Value():
                return 1
            case Component(_, fields):
                return math.prod(self.size(inner) for _, inner in fields)
            case Choice(options):
                return sum(self.size(option) for option in options)
            case _:
                return _num_points(node, self._points)

    def at(self, node: Node, index: int, key: str) -> Any:
        match node:
            case Value(value):
                return value
            case Component(kind, fields):
                places = _diagonal([self.size(inner) for _, inner in fields], index)
                inside = zip(fields, places, strict=True)
                chosen = {"kind": kind} if kind else {}
                return chosen | {name: self.at(inner, place, f"{key}.{name}") for (name, inner), place in inside}
            case Choice(options):
                shuffled = [options[place] for place in self._order(len(options), key)]
                place, inner = _in_turn([self.size(option) for option in shuffled], index)
                return self.at(shuffled[place], inner, f"{key}[{place}]")
            case _:
                points = _num_points(node, self._points)
                return _point(node, self._order(points, key)[index], points)

    def _order(self, count: int, key: str) -> list[int]:
        order = list(range(count))
        random.Random(derive_seed(self._seed, "grid", key)).shuffle(order)
        return order


def _diagonal(sizes: Sequence[int], index: int) -> list[int]:
    """A place in each of several lists; `index` from 0 to the product of their sizes gives every combination once.

    P combinations of the lists before and a list of r places come round together after lcm(P, r) steps; each time they
    do, the list is shifted by one. It takes gcd(P, r) rounds to P·r steps, and there are as many ways to pair the two
    that a round cannot pass between: each round goes through one of them.
    """
    places, combinations = [], 1
    for size in sizes:
        step = index % (combinations * size)
        places.append((step + step // math.lcm(combinations, size)) % size)
        combinations *= size
    return places


def _in_turn(sizes: Sequence[int], index: int) -> tuple[int, int]:
    """Which of several lists is next, and the place in it, if they take turns until all are used up."""
    left, taken = list(range(len(sizes))), 0
    for size in sorted(set(sizes)):
        turns = (size - taken) * len(left)
        if index < turns:
            return left[index % len(left)], taken + index // len(left)
        index -= turns
        taken = size
        left = [place for place in left if sizes[place] > size]
    raise AssertionError("the index is behind the last place")


def _num_points(distribution: Range, points: int) -> int:
    if isinstance(distribution, RandInt):
        return min(points, distribution.high - distribution.low + 1)
    return points


def _point(distribution: Range, place: int, points: int) -> int | float:
    share = place / (points - 1) if points > 1 else 0.5
    if not isinstance(distribution, RandInt):
        return distribution.at(share)
    return distribution.low + round(share * (distribution.high - distribution.low))
