"""Random search."""

import random

from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import SearcherSpec
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


class RandomSearch:
    """Draws strategies independently at random (Bergstra and Bengio, JMLR 2012).

    Each draw has a stream of random numbers of its own, so it depends on neither history nor the draws before it.

    Args:
        spec: without effect: every searcher that learns draws its first strategies, and some later ones, with this.
        space: what may be drawn.
        metric: without effect.
        seed: of all draws.
    """

    def __init__(self, spec: SearcherSpec, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._space = space
        self._seed = seed

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """A random strategy; there is always one more."""
        return self._space.sample(random.Random(derive_seed(self._seed, "draw", index)))
