"""Features in the basis of their principal components, in which linear problems are small and well conditioned."""

from dataclasses import dataclass

import torch
from torch import Tensor

# Components whose variance is below this share of the largest are rounding errors.
SMALLEST = 1e-7
# A feature that hardly ever differs from zero would be blown up until one sample with it outweighs all others: no
# feature is divided by less than this share of their usual deviation (docs/closed_form.md has what it gains).
LEAST_DEVIATION = 1.0


@dataclass(frozen=True)
class Spectrum:
    """Scaled features X [N, F] = Z Vᵀ, with r ≤ min(N, F) components.

    A penalty on the length of a weight vector does not depend on the basis, so a model of Z is one of X. With fewer
    rows than features Z is as small as the rows are; with more, the variances say how steep the problem is in each
    direction, which a solver uses as its scale. Where rows have weights ω, means and variances are weighted.

    Attributes:
        scores: Z, float32 [N, r].
        variances: Σ ω z² / N of each component, float32 [r], largest first; Zᵀ diag(ω) Z / N has them on its diagonal.
        basis: V, float32 [F, r].
        mean: of the features, float64 [F].
        deviation: what the features are divided by, float64 [F]: √(σ² + σ̄²), with σ̄ the usual σ of all of them; or how
            usual they are (`_rarity`).
    """

    scores: Tensor
    variances: Tensor
    basis: Tensor
    mean: Tensor
    deviation: Tensor

    def model_of_features(self, weights: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """A linear model of the features themselves, [K, F] and [K], from one of the scores, [K, r] and [K]."""
        own = (weights.double() @ self.basis.double().T) / self.deviation
        return own.float(), (bias.double() - own @ self.mean).float()


def spectrum_of(features: Tensor, weights: Tensor, scale: str = "deviation") -> Spectrum:
    """The components of features [N, F], whose rows have weights [N] with a mean of 1.

    Args:
        features: of the rows.
        weights: of the rows.
        scale: what features are scaled by (`spec.components.head.SolvedLinearHead`).
    """
    rows, length = features.shape
    mean = _mean(features, weights)
    own = _mean((features - mean.float()).square(), weights).sqrt()
    deviation = _rarity(features, weights, own) if scale == "idf" else _softened(own)
    scaled = (features - mean.float()) / deviation.float()
    weighted = scaled * weights.sqrt()[:, None]
    if rows < length:
        variances, left = _eigen((weighted @ weighted.T) / rows)
        basis = weighted.T @ (left / (variances * rows).sqrt())
    else:
        variances, basis = _eigen((weighted.T @ weighted) / rows)
    return Spectrum((scaled @ basis).contiguous(), variances, basis.contiguous(), mean, deviation)


def _softened(deviation: Tensor) -> Tensor:
    return (deviation.square() + (LEAST_DEVIATION * _usual(deviation)).square()).sqrt()


def _rarity(features: Tensor, weights: Tensor, deviation: Tensor) -> Tensor:
    """1 / (ln((1 + N) / (1 + n)) + 1) of a feature that n of N rows have (Spärck Jones, J. Documentation 28, 1972).

    Times what makes the mean square of a scaled feature 1, as that of a standardised one is: strengths mean the same.
    """
    rows, having = len(features), _mean((features != 0).float(), weights) * len(features)
    rarity = 1 / (((1 + rows) / (1 + having)).log() + 1)
    return rarity * _usual(deviation / rarity)


def _usual(deviation: Tensor) -> Tensor:
    return deviation.square().mean().sqrt().clamp_min(1e-12)


def _mean(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted, in float64, without a copy of all features in it."""
    sums = torch.zeros(features.shape[1], dtype=torch.float64)
    for start in range(0, len(features), 4096):
        part = slice(start, start + 4096)
        sums += weights[part].double() @ features[part].double()
    return sums / len(features)


def _eigen(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Positive eigenvalues, largest first, and their vectors; at least one."""
    values, vectors = torch.linalg.eigh(matrix.double())
    values = values.clamp_min(1e-12)
    kept = values > SMALLEST * values[-1]
    return values[kept].flip(0).float(), vectors[:, kept].flip(1).float().contiguous()
