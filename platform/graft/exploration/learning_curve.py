"""What all labels of the pool would give, told from the accuracies of models of fewer labels."""

from dataclasses import dataclass

import numpy as np

EXPONENTS = (0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4)
DRAWS = 300
# The curve is trusted to so much beyond what its draws say.
SLACK = 0.01


@dataclass(frozen=True)
class Forecast:
    """An accuracy that nobody has seen yet.

    Attributes:
        size: labels it is of.
        accuracy: about.
        low: of its 95 % interval.
        high: of its 95 % interval.
    """

    size: int
    accuracy: float
    low: float
    high: float


def forecast(sizes: np.ndarray, correct: np.ndarray, size: int, rng: np.random.Generator) -> Forecast:
    """Fit accuracy(n) = c − a n^−b with a ≥ 0 and c ≤ 1 (Cortes, Jackel, Solla, Vapnik & Denker, NIPS 1993) to the
    audit, by least squares for each of `EXPONENTS`; its margin is that of audits drawn again with replacement.

    Args:
        sizes: int64 [M], labels that each model was trained on.
        correct: bool [M, n], whether each is right about each audit label.
        size: labels asked about.
        rng: draws.
    """
    draws = rng.integers(correct.shape[1], size=(DRAWS, correct.shape[1]))
    counts = np.stack([np.bincount(one, minlength=correct.shape[1]) for one in draws]) / correct.shape[1]
    seen = np.concatenate([correct.mean(axis=1)[None], counts @ correct.T.astype(np.float64)])
    found = _extrapolated(sizes.astype(np.float64), seen, float(size))
    low, high = np.quantile(found[1:], (0.025, 0.975))
    return Forecast(size, float(found[0]), float(max(low - SLACK, 0.0)), float(min(high + SLACK, 1.0)))


def _extrapolated(sizes: np.ndarray, seen: np.ndarray, size: float) -> np.ndarray:
    """Accuracies [D] at a size, of curves through each row of accuracies [D, M]."""
    best, value = np.full(len(seen), np.inf), np.zeros(len(seen))
    for exponent in EXPONENTS:
        powers = sizes**-exponent
        centred = powers - powers.mean()
        slope = np.maximum(-(seen @ centred) / (centred @ centred), 0.0)
        top = np.minimum(seen.mean(axis=1) + slope * powers.mean(), 1.0)
        error = ((seen - top[:, None] + slope[:, None] * powers) ** 2).sum(axis=1)
        is_better = error < best
        best[is_better] = error[is_better]
        value[is_better] = np.clip(top - slope * size**-exponent, 0.0, 1.0)[is_better]
    return value
