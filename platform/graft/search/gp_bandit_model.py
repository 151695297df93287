"""A Gaussian process over hyperparameters and time: what an interval of training will gain.

The kernel is that of time-varying bandits (Bogunovic et al., AISTATS 2016), as population-based bandits use it
(Parker-Holder et al., NeurIPS 2020),

    k((t, x), (t', x')) = v · exp(-|x - x'|² / 2ℓ²) · (1 - ω)^(|t - t'| / 2)

and v, ℓ, ω and the noise maximise the likelihood of the gains seen. The next x maximises the upper confidence bound
μ + √β σ, where μ knows what was observed, and σ also the points that are chosen already and not yet observed (GP-BUCB,
Desautels et al., JMLR 2014).
"""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import (
    ConstantKernel,
    Hyperparameter,
    Kernel,
    NormalizedKernelMixin,
    StationaryKernelMixin,
    WhiteKernel,
)

Array = npt.NDArray[np.float64]

# β = c₁ + max(0, ln(c₂ n)) after n gains, with c₁ and c₂ of the authors' own implementation.
_BETA_START, _BETA_GROWTH = 0.2, 0.4
_CANDIDATES = 512
_SHRINKING = (0.1, 0.03, 0.01)
_NEARBY = 128
_FARTHEST_GAIN = 2.0


class TimeVarying(StationaryKernelMixin, NormalizedKernelMixin, Kernel):
    """exp(-|x - x'|² / 2ℓ²) · (1 - ω)^(|t - t'| / 2) for rows (t, x…).

    Args:
        length: ℓ, in the unit of x.
        forgetting: ω, the share that is new after one unit of time.
        length_bounds: where ℓ is looked for.
        forgetting_bounds: where ω is looked for.
    """

    def __init__(
        self,
        length: float = 0.5,
        forgetting: float = 0.1,
        length_bounds: tuple[float, float] = (0.1, 2.0),
        forgetting_bounds: tuple[float, float] = (1e-3, 0.5),
    ) -> None:
        self.length, self.forgetting = length, forgetting
        self.length_bounds, self.forgetting_bounds = length_bounds, forgetting_bounds

    @property
    def hyperparameter_length(self) -> Any:
        """scikit-learn's way to find what is fitted."""
        return Hyperparameter("length", "numeric", self.length_bounds)

    @property
    def hyperparameter_forgetting(self) -> Any:
        """scikit-learn's way to find what is fitted."""
        return Hyperparameter("forgetting", "numeric", self.forgetting_bounds)

    def __call__(self, X: Array, Y: Array | None = None, eval_gradient: bool = False) -> Any:  # noqa: N803
        """The covariance of rows, (rows of X, rows of Y); with `eval_gradient` also its gradient in (ln ω, ln ℓ)."""
        other = X if Y is None else Y
        apart = np.abs(X[:, None, 0] - other[None, :, 0])
        squared = ((X[:, None, 1:] - other[None, :, 1:]) ** 2).sum(axis=-1)
        covariance = np.exp(-squared / (2 * self.length**2)) * (1 - self.forgetting) ** (apart / 2)
        if not eval_gradient:
            return covariance
        by_forgetting = -covariance * apart / 2 * self.forgetting / (1 - self.forgetting)
        by_length = covariance * squared / self.length**2
        # In the order of their names, which is the order that scikit-learn has them in.
        return covariance, np.dstack([by_forgetting, by_length])


@dataclass(frozen=True)
class GainModel:
    """What is expected of a point (t, x…), in standard deviations of the gains seen, and how sure that is.

    Attributes:
        expected: gives the mean.
        unsure: gives the deviation.
        noise: variance of one observation.
        beta: weight of the deviation, squared (β).
    """

    expected: Any
    unsure: Any
    noise: float
    beta: float

    @classmethod
    def of(cls, points: Array, gains: Array) -> "GainModel":
        """Fit the model.

        Args:
            points: rows (t, x…), t in intervals, x in 0…1.
            gains: of each row; more is better.
        """
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * TimeVarying() + WhiteKernel(0.1, (1e-3, 1.0))
        fitted = GaussianProcessRegressor(kernel)
        with warnings.catch_warnings():
            # With a handful of rows the likelihood is flat, and its maximum on a bound: expected, and no harm.
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted.fit(points, _standardised(gains))
        beta = _BETA_START + max(0.0, math.log(_BETA_GROWTH * len(points)))
        return cls(fitted, fitted, float(fitted.kernel_.k2.noise_level), beta)

    def given(self, ahead: Array) -> "GainModel":
        """The model when these points are going to be observed: surer there, and expecting the same as before."""
        if not len(ahead):
            return self
        points = np.vstack([self.unsure.X_train_, ahead])
        # The deviation depends on where observations are, not on what they are.
        unsure = GaussianProcessRegressor(self.expected.kernel_, optimizer=None).fit(points, np.zeros(len(points)))
        return replace(self, unsure=unsure)

    def best(self, time: float, rng: np.random.Generator) -> Array:
        """The x in the unit cube with the highest upper confidence bound at a time.

        Drawn candidates, then ever closer ones around the best: a gradient's path would be another on another machine.
        """
        size = self.expected.X_train_.shape[1] - 1
        found = self._highest(time, rng.random((_CANDIDATES, size)))
        for spread in _SHRINKING:
            nearby = np.clip(found + spread * rng.standard_normal((_NEARBY, size)), 0, 1)
            found = self._highest(time, np.vstack([found, nearby]))
        return found

    def deviation(self, points: Array) -> Array:
        """How unsure the gain of each point itself is, without the noise of observing it."""
        _, deviation = self.unsure.predict(points, return_std=True)
        own: Array = np.sqrt(np.maximum(deviation**2 - self.noise, 0))
        return own

    def _highest(self, time: float, candidates: Array) -> Array:
        points = np.column_stack([np.full(len(candidates), time), candidates])
        bound = self.expected.predict(points) + math.sqrt(self.beta) * self.deviation(points)
        best: Array = candidates[int(np.argmax(bound))]
        return best


def _standardised(gains: Array) -> Array:
    """Mean 0 and deviation 1; one gain far off (a loss that blew up) must not make all others equal."""
    deviation = float(gains.std()) or 1.0
    standardised: Array = np.clip((gains - gains.mean()) / deviation, -_FARTHEST_GAIN, _FARTHEST_GAIN)
    return standardised
