"""Features of a sample in the basis of their principal components, which all scores share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Components whose variance is below this share of the largest are rounding errors.
SMALLEST = 1e-10


@dataclass(frozen=True)
class Decomposed:
    """Features X [N, F] whose decompositions are computed once, and only if a score asks for them.

    Attributes:
        features: float64 [N, F], finite, N ≥ 2.
    """

    features: Floats

    @property
    def rows(self) -> int:
        """N."""
        return len(self.features)

    @property
    def width(self) -> int:
        """F."""
        return int(self.features.shape[1])

    @cached_property
    def centred(self) -> "Spectrum":
        """Of the features less their mean."""
        return Spectrum.of(self.features - self.features.mean(axis=0))

    @cached_property
    def raw(self) -> "Spectrum":
        """Of the features as they are."""
        return Spectrum.of(self.features)


@dataclass(frozen=True)
class Spectrum:
    """X = U diag(σ) Vᵀ, of which no score needs V.

    Attributes:
        left: U, float64 [N, r].
        squares: σ², float64 [r], largest first; empty where all features are constant.
    """

    left: Floats
    squares: Floats

    @classmethod
    def of(cls, matrix: Floats) -> "Spectrum":
        """By the smaller one of X Xᵀ and Xᵀ X."""
        rows, width = matrix.shape
        if rows <= width:
            squares, left = np.linalg.eigh(matrix @ matrix.T)
            kept = _kept(squares)
            return cls(left[:, kept], squares[kept])
        squares, right = np.linalg.eigh(matrix.T @ matrix)
        kept = _kept(squares)
        return cls(matrix @ right[:, kept] / np.sqrt(squares[kept]), squares[kept])

    @property
    def scores(self) -> Floats:
        """X V = U diag(σ): the rows in the basis of the components, [N, r]."""
        return np.asarray(self.left * np.sqrt(self.squares))


def _kept(squares: Floats) -> NDArray[np.intp]:
    """Places of those that are no rounding errors, largest first."""
    largest = max(float(squares[-1]), 0.0)
    return np.flatnonzero(squares > max(SMALLEST * largest, 1e-300))[::-1]
