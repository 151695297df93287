"""What ridge regressions say of rows that they have not seen, for all penalties, from one decomposition."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from graft.transfer.closed_form.held_out import HeldOut
from graft.transfer.closed_form.spectrum import Spectrum

# Rows that are held in float64 at once.
_ROWS_AT_ONCE = 4096
# Shares of the largest diagonal entry that are added where rounding has left a matrix that is not positive definite.
_FLOORS = tuple(10.0**power for power in range(-12, 4))


class Path:
    """All penalties of one problem.

    Without parts, each row is left out by itself: its residual is divided by 1 − its leverage. Rows of a part are left
    out together, and as exactly (`_Part`).

    Args:
        spectrum: Z, and its variances.
        centred: targets less their mean, [N, K].
        weights: of the rows.
        parts: what is left out together.
    """

    def __init__(self, spectrum: Spectrum, centred: Tensor, weights: Tensor, parts: Sequence[HeldOut] = ()) -> None:
        self._scores, self._variances, self._parts = spectrum.scores, spectrum.variances, parts
        self._centred, self._weights, self._rows = centred, weights, len(centred)
        self._products = self._scores.T @ (centred * weights[:, None]) / self._rows

    @property
    def judged(self) -> np.ndarray:
        """The rows whose errors say something, int64."""
        if not self._parts:
            return np.arange(self._rows)
        return np.sort(np.concatenate([part.judged for part in self._parts]))

    def coefficients(self, penalty: float) -> Tensor:
        """Of the scores, [r, K]."""
        return self._products / (self._variances + penalty)[:, None]

    def left_out(self, penalty: float) -> Tensor:
        """What each row is told to be, less the mean, by a model that has not seen it, [N, K].

        A row that no part holds has been seen; it is not judged.
        """
        told = self._scores @ self.coefficients(penalty)
        if not self._parts:
            leverage = self._weights / self._rows * (1 + self._squares @ (1 / (self._variances + penalty)))
            return self._centred - (self._centred - told) / (1 - leverage).clamp_min(1e-6)[:, None]
        for part in self._parts:
            told[torch.from_numpy(part.rows)] = self._whole.part(part.rows).told(penalty).float()
        return told

    def left_out_errors(self, penalties: Sequence[float]) -> list[float]:
        """Squared errors of the left-out rows that are judged, summed, for each penalty."""
        if not self._parts:
            return [self._error(self.left_out(one), np.arange(self._rows)) for one in penalties]
        errors = np.zeros(len(penalties))
        for one in self._parts:
            part, judged = self._whole.part(one.rows), np.isin(one.rows, one.judged)
            errors += [self._error(part.told(penalty)[torch.from_numpy(judged)], one.judged) for penalty in penalties]
        found: list[float] = errors.tolist()
        return found

    def _error(self, told: Tensor, rows: np.ndarray) -> float:
        some = torch.from_numpy(rows)
        return float((told - self._centred[some]).square().sum(dim=1).double() @ self._weights[some].double())

    @cached_property
    def _squares(self) -> Tensor:
        return self._scores.square()

    @cached_property
    def _whole(self) -> "_Whole":
        return _Whole.of(self._scores, self._centred, self._weights)


@dataclass(frozen=True)
class _Whole:
    """The problem of all rows, in components that are those of the scores to the last bit of float64.

    With more features than rows and a small penalty, next to nothing is left of a part's residuals, nor of 1 − H: their
    quotient is the error only if both are of the same components.

    Attributes:
        scores: Z, [N, r].
        wanted: y less its mean as it was, [N, K].
        weights: ω / Σω, float64 [N].
        mean: of the scores, [r].
        wanted_mean: [K].
        basis: V of the components U = (Z − mean) V, [r, r].
        variances: of U, [r].
        products: Uᵀ diag(ω) y / Σω, [r, K].
    """

    scores: Tensor
    wanted: Tensor
    weights: Tensor
    mean: Tensor
    wanted_mean: Tensor
    basis: Tensor
    variances: Tensor
    products: Tensor

    @classmethod
    def of(cls, scores: Tensor, wanted: Tensor, weights: Tensor) -> "_Whole":
        weights = weights.double() / weights.double().sum()
        mean, wanted_mean = (_weighted_sum(one, weights) for one in (scores, wanted))
        matrix, products = (mean.new_zeros(len(mean), len(one)) for one in (mean, wanted_mean))
        for part in _portions(len(scores)):
            own = scores[part].double() - mean
            weighted = own.T * weights[part]
            matrix += weighted @ own
            products += weighted @ (wanted[part].double() - wanted_mean)
        variances, basis = torch.linalg.eigh(matrix)
        products = basis.T @ products
        return cls(scores, wanted, weights, mean, wanted_mean, basis, variances.clamp_min(0), products)

    def part(self, rows: np.ndarray) -> "_Part":
        """Some of the rows."""
        some = torch.from_numpy(rows)
        return _Part(
            (self.scores[some].double() - self.mean) @ self.basis,
            self.variances,
            self.products,
            self.wanted[some].double() - self.wanted_mean,
            self.weights[some],
            self.wanted_mean,
        )


@dataclass(frozen=True)
class _Part:
    """Rows that are left out together. All is float64.

    Attributes:
        scores: U of the rows, [n, r].
        variances: of the components over all rows, [r].
        products: Uᵀ diag(ω) y / Σω over all rows, [r, K].
        centred: y of the rows less its mean, [n, K].
        weights: ω / Σω of the rows.
        mean: what is added to an answer.
    """

    scores: Tensor
    variances: Tensor
    products: Tensor
    centred: Tensor
    weights: Tensor
    mean: Tensor

    def told(self, penalty: float) -> Tensor:
        """What the other rows say of these, [n, K]."""
        is_few = len(self.scores) <= len(self.variances)
        return self.mean + (self._by_residuals(penalty) if is_few else self._by_others(penalty))

    def _by_residuals(self, penalty: float) -> Tensor:
        """y − (I − H)⁻¹ (y − ŷ), with H = M diag(ω) / Σω what turns these rows' targets into answers of theirs.

        M = 1 + U (D + λ)⁻¹ Uᵀ is symmetric, and so made the matrix that is inverted, with roots of the weights on both
        sides; a row without weight is then told by what the others' errors say of it.
        """
        shrunk = self.scores / (self.variances + penalty)
        residuals, roots = self.centred - shrunk @ self.products, self.weights.sqrt()[:, None]
        both = 1 + shrunk @ self.scores.T
        matrix = torch.eye(len(both), dtype=both.dtype) - roots * both * roots.T
        errors = _solved(matrix, roots * residuals)
        return self.centred - residuals - both @ (roots * errors)

    def _by_others(self, penalty: float) -> Tensor:
        """By the model of the sums over the other rows: a small one where there are more rows than components."""
        own = _with_ones(self.scores)
        matrix = self._others.clone()
        matrix.diagonal()[:-1] += penalty
        wanted = torch.cat([self.products, torch.zeros_like(self.products[:1])])
        return own @ _solved(matrix, wanted - (own * self.weights[:, None]).T @ self.centred)

    @cached_property
    def _others(self) -> Tensor:
        """Ũᵀ diag(ω) Ũ / Σω over the other rows, with a column of ones for the bias, [r + 1, r + 1]."""
        own = _with_ones(self.scores)
        whole = torch.diag(torch.cat([self.variances, torch.ones_like(self.variances[:1])]))
        return whole - own.T @ (own * self.weights[:, None])


def _weighted_sum(values: Tensor, weights: Tensor) -> Tensor:
    parts = (weights[part] @ values[part].double() for part in _portions(len(values)))
    return sum(parts, start=weights.new_zeros(values.shape[1]))


def _portions(rows: int) -> list[slice]:
    return [slice(start, start + _ROWS_AT_ONCE) for start in range(0, rows, _ROWS_AT_ONCE)]


def _with_ones(scores: Tensor) -> Tensor:
    return torch.cat([scores, torch.ones_like(scores[:, :1])], dim=1)


def _solved(matrix: Tensor, wanted: Tensor) -> Tensor:
    """X of A X = B, with A positive definite; where rounding has made it something else, of what is next to it."""
    largest = float(matrix.diagonal().max().clamp_min(1e-12))
    for floor in (0.0, *_FLOORS):
        factor, failed = torch.linalg.cholesky_ex(matrix + floor * largest * torch.eye(len(matrix), dtype=matrix.dtype))
        if not failed:
            return torch.cholesky_solve(wanted, factor)
    raise ValueError("a matrix of sums over rows is not positive definite, so it holds what is no number")
