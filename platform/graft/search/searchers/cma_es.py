"""Covariance matrix adaptation (the package cmaes)."""

import random
from typing import Any

import numpy as np
from cmaes import CMA
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.search.searchers.observed import is_tried, score_of
from graft.search.searchers.random import RandomSearch
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import CmaEsSearcher
from graft.spec.space.distributions import Distribution
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

SIGMA = 1 / 6
"""σ⁽⁰⁾, the first step size, as a share of each range; Optuna's."""

_Point = tuple[tuple[int, float], NDArray[np.float64]]


class CmaEsSearch:
    """Covariance matrix adaptation (Hansen, 2016, arXiv:1604.00772) of the ranges that every strategy has.

    Choices, and what lies inside an option, are drawn at random. Optuna's sampler keeps its optimiser inside the
    trials it has drawn, which a history of observations does not hold; so cmaes, which it is made of, is used directly
    and replayed at each draw: the first `start_up` trials with a value give the starting point (the best of them),
    those that follow are told in their order, one generation (λ) at a time. They are told by their rank in it, which is
    all that the algorithm looks at; `graft.search.searchers.observed` says which rank.

    Points that were not drawn around the present mean (their trial started before an update, or they are random ones)
    are told like any other, which the algorithm stands.

    Args:
        spec: how many trials must have a value before the first one is suggested; until then draws are random.
        space: what may be drawn.
        metric: what the values are of.
        seed: each draw has a stream of its own.
    """

    def __init__(self, spec: CmaEsSearcher, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._start_up = spec.start_up
        self._space = space
        self._ranges = space.ranges()
        self._metric = metric
        self._seed = seed
        self._random = RandomSearch(spec, space, metric, seed)

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """A point around the mean; a random strategy if that has been tried already, or if the search has converged."""
        at_random = self._random.draw(index, history)
        points = self._points(history)
        if not self._ranges or len(points) < self._start_up:
            return at_random
        optimizer = self._replayed(points)
        if optimizer.should_stop():
            return at_random
        optimizer.reseed_rng(derive_seed(self._seed, "cmaes", index))
        shares = dict(zip(self._ranges, optimizer.ask(), strict=True))
        rng = random.Random(derive_seed(self._seed, "cmaes rest", index))

        def pick(key: str, distribution: Distribution) -> Any:
            return self._ranges[key].at(float(shares[key])) if key in shares else distribution.sample(rng)

        suggested = self._space.build(pick)
        return at_random if is_tried(suggested, history, self._space) else suggested

    def _points(self, history: tuple[Observation, ...]) -> list[_Point]:
        """Rank and place in the unit cube of each trial that has shown something, in their order."""
        found = []
        for observation in history:
            score = score_of(observation, self._metric)
            place = self._space.coordinates(observation.strategy)
            if score is not None and self._ranges.keys() <= place.keys():
                shares = [distribution.position(place[key]) for key, distribution in self._ranges.items()]
                found.append((score.rank, np.array(shares)))
        return found

    def _replayed(self, points: list[_Point]) -> CMA:
        _, start = min(points[: self._start_up], key=lambda point: point[0])
        size = len(self._ranges)
        cube = np.array([[0.0, 1.0]] * size)
        optimizer = CMA(mean=start, sigma=SIGMA, bounds=cube, seed=self._seed, n_max_resampling=10 * size)
        told = points[self._start_up :]
        while len(told) >= optimizer.population_size and not optimizer.should_stop():
            generation, told = told[: optimizer.population_size], told[optimizer.population_size :]
            best_first = sorted(generation, key=lambda point: point[0])
            optimizer.tell([(place, float(rank)) for rank, (_, place) in enumerate(best_first)])
        return optimizer
