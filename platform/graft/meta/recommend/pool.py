"""Which strategies of a space are worth a look: what earlier tasks have tried, where it lies in it, and others."""

import json
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from graft.core.errors import GraftError
from graft.core.seeds import derive_seed
from graft.core.storage import canonical_json
from graft.meta.recommend.normalise import below_best
from graft.meta.recommend.outcomes import Candidate, TaskOutcomes
from graft.spec.space.distributions import Choice, Distribution
from graft.spec.space.enumeration import strategies_in
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

SIZE = 96
_OF_MEMORY = 64

Canonical = Callable[[Strategy], Strategy]
"""The canonical form of a strategy, with the depth of its backbone where that is known."""


Pool = dict[Candidate, Strategy]
"""What may be tried: the canonical form of each strategy, and the strategy as it is drawn from the space."""


def pool_of(space: StrategySpace, outcomes: Sequence[TaskOutcomes], canonical: Canonical, seed: int) -> Pool:
    """At most `SIZE` strategies of a space, each once, in an order that depends on nothing but the arguments.

    All of a space that is small; else those of earlier tasks, the best ones of each task first, moved to the nearest
    place of the space, and random ones.

    Args:
        space: what may be tried.
        outcomes: of earlier tasks, the most alike first.
        canonical: of a strategy.
        seed: of the random ones.
    """
    size = space.grid_size()
    found: Pool = {}
    if size is not None and size <= SIZE:
        for strategy in strategies_in(space):
            found.setdefault(candidate_of(canonical(strategy)), strategy)
        return found
    for candidate in _best_first(outcomes):
        if len(found) >= _OF_MEMORY:
            break
        tried = read_strategy(candidate)
        if tried is not None and tried.backbone in space.values("backbone"):
            moved = moved_into(space, tried)
            found.setdefault(candidate_of(canonical(moved)), moved)
    for index in range(4 * SIZE):
        if len(found) >= SIZE:
            break
        drawn = space.sample(random.Random(derive_seed(seed, "pool", index)))
        found.setdefault(candidate_of(canonical(drawn)), drawn)
    return found


def candidate_of(strategy: Strategy) -> Candidate:
    """A strategy as a candidate."""
    return Candidate(strategy.backbone, canonical_json(strategy.model_dump(mode="json")))


def read_strategy(candidate: Candidate) -> Strategy | None:
    """The strategy of a candidate; None if it has none, or this version of graft cannot read it."""
    if not candidate.strategy_json:
        return None
    try:
        return Strategy.read_stored(json.loads(candidate.strategy_json))
    except (GraftError, ValueError):  # pydantic's is a ValueError
        return None


def moved_into(space: StrategySpace, strategy: Strategy) -> Strategy:
    """The strategy at the nearest place of a space; what it has no place for takes the first option, or the middle."""
    place = space.coordinates(strategy)

    def pick(key: str, distribution: Distribution) -> Any:
        if isinstance(distribution, Choice):
            return distribution.options[int(place.get(key, 0))]
        return place[key] if key in place else distribution.at(0.5)

    return space.build(pick)


def _best_first(outcomes: Sequence[TaskOutcomes]) -> Iterable[Candidate]:
    """The best candidate of each task, then the second best ones, and so on."""
    ordered = []
    for task in outcomes:
        losses = below_best({at: one.value for at, one in task.outcomes.items()})
        ordered.append(sorted(losses, key=lambda at: (-losses[at], at)))
    for place in range(max(map(len, ordered), default=0)):
        for candidates in ordered:
            if place < len(candidates):
                yield candidates[place]
