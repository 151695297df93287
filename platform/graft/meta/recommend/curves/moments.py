"""Mean and covariance of learning curves: what is shipped, what past curves say, and what remains once some is seen."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from graft.meta.recommend.kernel import Floats

# What is shipped, on `Scale`: where curves end; how much is left to gain and how much that differs, the variance of its
# steps, and how far a single value is off. Of the half of the bank that rules are chosen on (docs/benchmarks.md).
LEVEL, RISE, RISES, STEPS, NOISE = 1.0, 0.22, 0.1, 0.015, 0.03
# Share of the training at which what is left no longer grows as fast as it becomes smaller.
_EARLY = 0.05
# As many past curves say as much as what is shipped: of the course of a curve, and of where it ends.
SHIPPED_AS, LEVEL_AS = 2.0, 0.1
# Of expectation maximisation, and by how much the mean moves at least in one.
_ROUNDS, _STILL = 20, 1e-3
_JITTER = 1e-6


@dataclass(frozen=True)
class Moments:
    """Of a curve at K places.

    Attributes:
        mean: float64 [K].
        covariance: float64 [K, K].
        curves: that it rests on, each as far as it counts.
        tasks: that these are of, counted as so many equal ones.
    """

    mean: Floats
    covariance: Floats
    curves: float
    tasks: float = 0.0

    @property
    def widening(self) -> float:
        """How much further than a normal deviation four in five values reach: the moments are those of few tasks.

        Of Student's t with three degrees of freedom more than tasks, around a mean that is as unsure as one of them.
        """
        return float(stdtrit(3 + self.tasks, 0.9) / ndtri(0.9)) * math.sqrt(1 + 1 / (1 + self.tasks))

    def given(self, places: NDArray[np.intp], values: Floats) -> "Moments":
        """What is left of the covariance, and where the mean lies, once the values at some places are known."""
        if not len(places):
            return self
        among = self.covariance[np.ix_(places, places)] + _JITTER * np.eye(len(places))
        gain = np.linalg.solve(among, self.covariance[places]).T
        mean = self.mean + gain @ (values - self.mean[places])
        return replace(self, mean=mean, covariance=self.covariance - gain @ self.covariance[places])


@dataclass(frozen=True)
class Level:
    """Where curves end.

    Attributes:
        mean: on the scale.
        deviation: of that.
    """

    mean: float = LEVEL
    deviation: float = 2.0

    def learned(self, ends: Floats, weights: Floats) -> "Level":
        """What the ends of past curves make of it, [M]: the units of a loss are those of its task."""
        total = LEVEL_AS + float(weights.sum())
        mean = (LEVEL_AS * self.mean + float(weights @ ends)) / total
        spread = LEVEL_AS * self.deviation**2 + float(weights @ np.square(ends - mean))
        return Level(mean, math.sqrt(spread / total))


def shipped(shares: Floats, level: Level) -> Moments:
    """z(s) = a − r h(s) − w(h(s)) + ε, h(s) = (1 − s) / (s + s₀): what is left to gain falls like 1 / s.

    The family `vapor pressure` of Domhan, Springenberg & Hutter (IJCAI 2015), exp(a + b / x), on the odds instead of
    the value, with b = −r, the planned epochs as the unit of x, and s₀ against its pole. a and r are Gaussian, w is a
    random walk that ends with the training.

    Args:
        shares: in (0, 1], rising.
        level: of a.
    """
    left = (1 - shares) / (shares + _EARLY)
    course = RISES**2 * np.outer(left, left) + STEPS * np.minimum.outer(left, left)
    covariance = level.deviation**2 + course + NOISE**2 * np.eye(len(shares))
    return Moments(level.mean - RISE * left, covariance, SHIPPED_AS)


def learned(curves: Floats, weights: Floats, before: Moments) -> Moments:
    """What past curves make of the moments that were there before.

    Maximum a posteriori under a normal-inverse-Wishart prior that counts as many curves as `before` does, by
    expectation maximisation: what is missing of a curve that was stopped is completed by what is known of it (Little &
    Rubin, Statistical Analysis with Missing Data, 11.3). That a curve was stopped because of what was seen of it does
    no harm then.

    Args:
        curves: float64 [M, K], NaN where nothing is known.
        weights: float64 [M], how much each counts, at most 1.
        before: at the same K places.
    """
    kept = (weights > 0) & ~np.isnan(curves).all(axis=1)
    curves, weights = curves[kept], weights[kept]
    if not len(curves):
        return before
    strength, total = before.curves, float(weights.sum())
    now = before
    for _ in range(_ROUNDS):
        filled, unsure = _completed(curves, weights, now)
        mean = (strength * before.mean + weights @ filled) / (strength + total)
        off, drift = filled - mean, mean - before.mean
        around = strength * (before.covariance + np.outer(drift, drift))
        scatter = (off.T * weights) @ off + unsure
        moved = float(np.abs(mean - now.mean).max())
        now = Moments(mean, (around + scatter) / (strength + total), strength + total)
        if moved < _STILL or not unsure.any():
            break
    return now


def _completed(curves: Floats, weights: Floats, now: Moments) -> tuple[Floats, Floats]:
    """Each curve with what is expected where it is missing, and the weighted sum of how unsure that is."""
    filled, unsure = curves.copy(), np.zeros_like(now.covariance)
    patterns, groups = np.unique(np.isnan(curves), axis=0, return_inverse=True)
    for number, missing in enumerate(patterns):
        if not missing.any():
            continue
        rows, seen = np.flatnonzero(groups.ravel() == number), np.flatnonzero(~missing)
        among = now.covariance[np.ix_(seen, seen)] + _JITTER * np.eye(len(seen))
        gain = np.linalg.solve(among, now.covariance[np.ix_(seen, missing)])
        filled[np.ix_(rows, missing)] = now.mean[missing] + (curves[np.ix_(rows, seen)] - now.mean[seen]) @ gain
        left = now.covariance[np.ix_(missing, missing)] - now.covariance[np.ix_(missing, seen)] @ gain
        unsure[np.ix_(missing, missing)] += weights[rows].sum() * left
    return filled, unsure
