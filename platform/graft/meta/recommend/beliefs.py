"""What a search believes of its strategies once trials have returned: the prior, as far as they agree with it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from graft.meta.recommend.kernel import Fields, Floats
from graft.meta.recommend.outcomes import Candidate

# Variances, in units of the losses: of the level that the task is at, of how far the prior is to be believed, of what
# a strategy is worth beyond the prior, and of one outcome.
_LEVEL, _BELIEF, _OWN, _NOISE = 1.0, 0.25, 0.15, 0.05
_LENGTH = 2.0
# How far from a strategy of the pool another one may lie and still be expected to be like it, as a kernel length.
_NEAR = 0.5
LEAST_BELIEF = 0.25
"""Of the prior: below it, once `FEWEST` trials have returned, the search learns from them alone."""
FEWEST = 4


@dataclass(frozen=True)
class Beliefs:
    """Of the strategies of a pool, given what has returned.

    Attributes:
        mean: float64 [P], below the best, in the units of the observed losses.
        deviation: float64 [P].
        best: the best of what has returned.
        belief: how far the prior is believed: 1 wholly, 0 not at all.
        observed: trials that have returned.
    """

    mean: Floats
    deviation: Floats
    best: float
    belief: float
    observed: int

    @property
    def is_refuted(self) -> bool:
        """Whether what the prior has predicted does not come true."""
        return self.observed >= FEWEST and self.belief < LEAST_BELIEF

    def improvement(self, costs: Floats) -> Floats:
        """Expected improvement over the best, for each unit of cost (Snoek, Larochelle & Adams, NeurIPS 2012), [P]."""
        deviation = np.maximum(self.deviation, 1e-9)
        ahead = (self.mean - self.best) / deviation
        density = np.exp(-np.square(ahead) / 2) / math.sqrt(2 * math.pi)
        expected = deviation * (ahead * ndtr(ahead) + density)
        return np.asarray(expected / costs)


def updated(
    pool: Sequence[Candidate],
    expected: NDArray[np.float64],
    confidence: float,
    observed: Mapping[Candidate, float],
    pending: Sequence[Candidate],
) -> Beliefs:
    """y(c) = a + b m(c) + δ(c) + ε, with m the mean of the prior: a level, a slope, and what it does not know.

    b starts at `confidence` and is learned with all else, so a prior whose order does not come true loses its say, and
    one that is turned round gets none. Trials that are still under way count as if they came out as expected, so that
    those that run side by side differ (Ginsbourger, Le Riche & Carraro, 2010).

    Args:
        pool: strategies that may be tried.
        expected: m of each, float64 [P].
        confidence: of the prior, in [0, 1].
        observed: strategy -> its loss, 0 being the best of them.
        pending: strategies under way.
    """
    known = list(observed)
    places = {one: None for one in (*pool, *known, *pending)}
    fields = Fields(tuple(places))
    everyone = list(places)
    near = fields.kernel(everyone, list(pool), _NEAR)
    prior = np.asarray((near @ expected) / np.maximum(near.sum(axis=1), 1e-12))
    row = {one: at for at, one in enumerate(everyone)}
    prior[[row[one] for one in pool]] = expected
    among = _LEVEL + _BELIEF * np.outer(prior, prior) + _OWN * fields.kernel(everyone, everyone, _LENGTH)
    mean = confidence * prior
    told = [row[one] for one in known]
    losses = np.array([observed[one] for one in known])
    belief, after, covariance = confidence, mean, among
    if told:
        factor = cho_factor(among[np.ix_(told, told)] + _NOISE * np.eye(len(told)), lower=True)
        weights = cho_solve(factor, losses - mean[told])
        after = mean + among[:, told] @ weights
        covariance = among - among[:, told] @ cho_solve(factor, among[told])
        belief = confidence + _BELIEF * float(prior[told] @ weights)
    waiting = [row[one] for one in pending if one not in observed]
    if waiting:
        gained = covariance[:, waiting] @ np.linalg.solve(
            covariance[np.ix_(waiting, waiting)] + _NOISE * np.eye(len(waiting)), covariance[waiting]
        )
        covariance = covariance - gained
    at_pool = [row[one] for one in pool]
    deviation = np.sqrt(np.maximum(np.diag(covariance)[at_pool], 0.0))
    best = float(losses.max()) if told else 0.0
    return Beliefs(after[at_pool], deviation, best, float(np.clip(belief, 0.0, 1.5)), len(told))
