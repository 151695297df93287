"""Search that begins where others have ended: with what earlier tasks want."""

import json
import math

import numpy as np

from graft.meta.recommend.beliefs import Beliefs, updated
from graft.meta.recommend.outcomes import Candidate
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import NO_PRIOR, Prior
from graft.search.protocol import Observation
from graft.search.searchers.equal_epochs import losses_at_equal_epochs
from graft.search.searchers.random import RandomSearch
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import MetaSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


class MetaSearch:
    """First a portfolio of strategies that complement each other, then the best expected improvement for its cost.

    A share of the draws is free of the prior: they are those that random search would make, at the same places. All of
    them are where there is no prior. From the moment on at which what it predicts does not come true
    (`Beliefs.is_refuted`), the others go by what has returned alone: strategies like those that the memory praised for
    nothing are left aside, and what they have cost is made up for.

    Args:
        spec: the share, and how many strategies of the portfolio come first.
        space: what may be drawn.
        metric: what the values are of.
        seed: each draw has a stream of its own.
        prior: what the search is told; nothing makes it random search.
    """

    def __init__(
        self, spec: MetaSearcher, space: StrategySpace, metric: MetricSpec, seed: int, prior: Prior = NO_PRIOR
    ) -> None:
        self._spec, self._space, self._metric, self._seed, self._prior = spec, space, metric, seed, prior
        self._random = RandomSearch(spec, space, metric, seed)
        expected = [] if prior.is_empty else prior.expected
        self._strategies = [Strategy.read_stored(json.loads(one.strategy_json)) for one in expected]
        self._pool = [candidate_of(one.canonical()) for one in self._strategies]
        self._means = np.array([one.mean for one in expected])
        self._costs = np.array([one.cost for one in expected])

    def informed(self, prior: Prior) -> "MetaSearch":
        """The same search, told what the memory expects."""
        return MetaSearch(self._spec, self._space, self._metric, self._seed, prior)

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """The next of the portfolio, or the best expected improvement; a random strategy where the draw is free."""
        at_random = self._random.draw(index, history)
        if not self._pool or self._is_free(index):
            return at_random
        tried = [candidate_of(one.strategy.canonical()) for one in history]
        left = [place for place, one in enumerate(self._pool) if one not in set(tried)]
        if not left:
            return at_random
        beliefs = self._beliefs(history, tried, self._prior.confidence)
        if beliefs.is_refuted:
            beliefs = self._beliefs(history, tried, confidence=0.0)
            return self._most_improving(beliefs, left)
        first = [place for place in self._prior.portfolio[: self._spec.portfolio] if place in set(left)]
        if first and beliefs.observed < self._spec.portfolio:
            return self._strategies[first[0]]
        return self._most_improving(beliefs, left)

    def _most_improving(self, beliefs: Beliefs, left: list[int]) -> Strategy:
        improvement = beliefs.improvement(np.sqrt(self._costs))
        return self._strategies[max(left, key=lambda place: (improvement[place], -place))]

    def _beliefs(self, history: tuple[Observation, ...], tried: list[Candidate], confidence: float) -> Beliefs:
        """With no confidence, what has returned says all."""
        means = self._means if confidence else np.zeros(len(self._pool))
        losses = losses_at_equal_epochs(history, self._metric)
        observed = {tried[place]: loss for place, loss in losses.items()}
        pending = [one for place, one in enumerate(tried) if place not in losses]
        return updated(self._pool, means, confidence, observed, list(dict.fromkeys(pending)))

    def _is_free(self, index: int) -> bool:
        """Whether the draw is one of the share, which is spread evenly and begins late."""
        return math.floor((index + 1) * self._spec.free) > math.floor(index * self._spec.free)
