"""Regret: how far the best of the first k candidates is from the best of all. Pure."""

import math
from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def of_order(values: Mapping[Key, float], order: Sequence[Key], count: int) -> float:
    """Best minus best of the first so many, all of them if there are fewer."""
    return max(values.values()) - max(values[one] for one in order[: max(1, count)])


def of_ranking(values: Mapping[Key, float], ranks: Mapping[Key, float], count: int) -> float:
    """The expected regret if the candidates are tried in the order of their ranks, equal ones in a random order. Exact.

    Args:
        values: of each candidate, more is better.
        ranks: the larger, the earlier; whoever has none comes last.
        count: how many are tried.
    """
    by_rank = sorted(values, key=lambda key: -ranks.get(key, -math.inf))
    best, left, reached = max(values.values()), min(count, len(values)), -math.inf
    for _, group in groupby(by_rank, key=lambda key: ranks.get(key, -math.inf)):
        members = sorted(values[key] for key in group)
        if left < len(members):
            return best - _expected_maximum(members, left, reached)
        reached, left = max(reached, members[-1]), left - len(members)
        if not left:
            break
    return best - reached


def at_random(values: Mapping[Key, float], count: int) -> float:
    """The expected regret of a random order. Exact."""
    return of_ranking(values, {}, count)


def _expected_maximum(ascending: Sequence[float], count: int, floor: float) -> float:
    """E[max(floor, max of `count` drawn ones)]: the i-th smallest is the maximum of C(i − 1, count − 1) draws."""
    if not count:
        return floor
    every = math.comb(len(ascending), count)
    return sum(max(floor, value) * (math.comb(place, count - 1) / every) for place, value in enumerate(ascending))
