"""In which order heads are solved before anything is drawn: by what each is expected to gain in its seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graft.meta.recommend.kernel import Floats
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import Prior
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class Work:
    """What solving a head takes.

    Attributes:
        features: names the pass through the network that gives its features; one pass gives those of several heads.
        passing: seconds of that pass, for whoever comes first.
        solving: seconds of the head alone.
        is_deepest: whether the pass for its features gives those of all heads of the pass.
    """

    features: str
    passing: float
    solving: float
    is_deepest: bool


@dataclass(frozen=True)
class First:
    """What is tried before anything is drawn.

    Attributes:
        strategies: in their order.
        works: what each head takes that is solved; None for a training, which keeps its place.
        slots: trials at a time.
    """

    strategies: tuple[Strategy, ...] = ()
    works: tuple[Work | None, ...] = ()
    slots: int = 1


def order_of_heads(first: Sequence[Work | None], draws: Floats, weights: Floats, slots: int) -> tuple[int, ...]:
    """Numbers of the heads, in the order in which to solve them: the next has the most expected improvement a second.

    It improves on the best of those before it, the first one on the poorest of all. Heads whose features another
    process computes come later: whoever took one would wait. All come at last, so a wrong guess costs seconds.

    Args:
        first: what is tried before anything is drawn, in its order: the work of heads; None is a training, which keeps
            its place, and takes a slot for as long as heads are solved, unless that is the last one.
        draws: [D, H], what may come of each head, numbered as in `first`; more is better.
        weights: [D], sum 1.
        slots: trials at a time.
    """
    works = [one for one in first if one is not None]
    left, order, best = list(range(len(works))), list[int](), draws.min(axis=1, initial=np.inf)
    free, ready = [0.0] * max(1, slots), dict[str, float]()
    for one in first:
        now = min(free)
        free.remove(now)
        if one is None:
            free = free or [now]
            continue
        gains = {head: float(weights @ np.maximum(draws[:, head] - best, 0.0)) for head in left}
        head = _next({head: works[head] for head in left}, gains, ready, now)
        work = works[head]
        began = max(now, ready.setdefault(work.features, now + work.passing))
        free.append(began + work.solving)
        left.remove(head)
        order.append(head)
        best = np.maximum(best, draws[:, head])
    return tuple(order)


def in_recommended_order(first: Sequence[Strategy], prior: Prior) -> tuple[Strategy, ...]:
    """What is tried before anything is drawn, with its heads in the order of a prior; all else keeps its place."""
    rank = {one.strategy_json: place for place, one in enumerate(prior.heads)}
    names = [candidate_of(one).strategy_json for one in first]
    places = [place for place, name in enumerate(names) if name in rank]
    found = list(first)
    for place, head in zip(places, sorted(places, key=lambda at: rank[names[at]]), strict=True):
        found[place] = first[head]
    return tuple(found)


def _next(works: Mapping[int, Work], gains: Mapping[int, float], ready: Mapping[str, float], now: float) -> int:
    """The head with the most gain a second, of those that can begin at once; of equal ones the earlier."""
    can_begin = [
        head
        for head, work in works.items()
        if (ready[work.features] <= now if work.features in ready else work.is_deepest)
    ]
    worth = {}
    for head in can_begin or works:
        work = works[head]
        seconds = work.solving + (0.0 if work.features in ready else work.passing)
        worth[head] = round(gains[head] / max(seconds, 1e-9), 9)
    return max(worth, key=lambda head: (worth[head], -head))
