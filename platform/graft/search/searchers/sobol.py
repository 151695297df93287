"""Sobol sequence search (SciPy)."""

from scipy.stats import qmc

from graft.core.errors import Problem, SpecError
from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import SobolSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


class SobolSearch:
    """Points of a Sobol sequence, scrambled by the seed (Owen, Journal of Complexity 1998).

    Every distribution of the space is a dimension, and takes its value through its inverse distribution function. What
    a strategy does not have, its point has a coordinate for nevertheless: it is not used.

    Args:
        spec: it has no settings.
        space: what may be drawn.
        metric: without effect.
        seed: of the scrambling.

    Raises:
        SpecError: the space has more distributions than there are dimensions.
    """

    def __init__(self, spec: SobolSearcher, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._space = space
        self._keys = tuple(space.distributions())
        self._seed = derive_seed(seed, "sobol")
        if len(self._keys) > qmc.Sobol.MAXDIM:
            told = f"has {len(self._keys)} distributions, but sobol can draw {qmc.Sobol.MAXDIM}; use random"
            raise SpecError([Problem("strategy", told)])

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """The `index`-th point of the sequence."""
        point = dict(zip(self._keys, self._point(index), strict=True))
        return self._space.build(lambda key, distribution: distribution.at(point[key]))

    def _point(self, index: int) -> list[float]:
        if not self._keys:
            return []
        sequence = qmc.Sobol(len(self._keys), scramble=True, rng=self._seed)
        if index > 0:  # SciPy cannot go forward by nothing
            sequence.fast_forward(index)
        return [float(share) for share in sequence.random(1)[0]]
