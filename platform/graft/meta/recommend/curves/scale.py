"""Values of a metric on a scale without ends, on which learning curves of different tasks have one shape."""

import math
from dataclasses import dataclass

import numpy as np

from graft.meta.recommend.kernel import Floats
from graft.spec.metrics import MetricSpec

# Of the whole range, and of a distance that has no range: a metric that is at its end is taken to be so far from it.
_NEAREST_SHARE, _NEAREST = 2e-3, 1e-9


@dataclass(frozen=True)
class Scale:
    """z = log(distance from the worst value) − log(distance from the best one), of those that the metric has.

    Of a share that is the logit, of a loss minus its logarithm: what a training halves counts the same wherever it
    happens, and more is better.

    Attributes:
        metric: what the values are.
    """

    metric: MetricSpec

    @property
    def is_known(self) -> bool:
        """Whether the metric has a best value; else nothing says how much a step of it is."""
        return math.isfinite(self._best)

    @property
    def spread(self) -> float:
        """How far apart the ends of curves may be, as a standard deviation: wide where a unit may be anything."""
        return 20.0 if self.metric.is_in_units else 2.0

    @property
    def _best(self) -> float:
        return self.metric.highest if self.metric.mode == "max" else self.metric.lowest

    @property
    def _worst(self) -> float:
        return self.metric.lowest if self.metric.mode == "max" else self.metric.highest

    def of(self, values: Floats) -> Floats:
        """The values on the scale; NaN stays NaN."""
        span = abs(self._best - self._worst)
        if not math.isfinite(span):
            return np.asarray(-np.log(np.maximum(np.abs(self._best - values), _NEAREST)))
        share = np.clip(np.abs(values - self._worst) / span, _NEAREST_SHARE, 1 - _NEAREST_SHARE)
        return np.asarray(np.log(share / (1 - share)))

    def back(self, places: Floats) -> Floats:
        """The values that lie at these places of the scale."""
        span = self._best - self._worst
        if not math.isfinite(span):
            away = np.exp(-np.asarray(places))
            return np.asarray(self._best - away if self.metric.mode == "max" else self._best + away)
        return np.asarray(self._worst + span / (1 + np.exp(-np.asarray(places))))
