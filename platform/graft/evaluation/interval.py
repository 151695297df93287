"""How sure a metric is: 95 % intervals for a score measured on a finite split.

They say how far the score would move with other samples of the same kind. They know nothing of another training seed,
or of data that is not like this split.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.evaluation.metrics import Floats, Integers, check, confusion, from_confusion, losses

_Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
_CELLS_AT_ONCE = 4_000_000  # bounds the memory of a bootstrap at some 64 MB


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; `method` is how it was made."""

    low: float
    high: float
    method: Literal["wilson", "bootstrap"]


def interval(name: str, probs: Floats, labels: Integers, seed: int = 0, resamples: int = 1000) -> Interval:
    """The 95 % interval of one metric: Wilson's for accuracy, a percentile bootstrap for the others.

    Args:
        name: one of `metrics.METRIC_NAMES`.
        probs: class probabilities [N, K].
        labels: [N].
        seed: the same seed gives the same interval.
        resamples: bootstrap resamples.

    Raises:
        ValueError: shapes do not fit, there is no sample, a probability is not finite, or `name` is not a metric.
    """
    check(probs, labels, [name])
    if not np.isfinite(probs).all():
        raise ValueError("a probability is NaN or infinite, but must be finite to have an interval")
    predicted = probs.argmax(axis=1)
    if name == "accuracy":
        return wilson(int((predicted == labels).sum()), len(labels))
    rng = np.random.default_rng(derive_seed(seed, "bootstrap", name))
    if name == "loss":
        values = _bootstrap_mean(losses(probs, labels), resamples, rng)
    else:
        values = _bootstrap_confusion(name, confusion(predicted, labels, probs.shape[1]), resamples, rng)
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), "bootstrap")


def wilson(successes: int, total: int) -> Interval:
    """Wilson's score interval of a share (Wilson, JASA 1927), at 95 %.

    Unlike the normal approximation it stays within 0..1 and does not shrink to a point at 0 or `total` successes.

    Raises:
        ValueError: `successes` is not within 0..`total`, or `total` is 0.
    """
    if total < 1 or not 0 <= successes <= total:
        raise ValueError(f"successes are {successes} of {total}, but must be within 0..total, with total >= 1")
    share, z2 = successes / total, _Z95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = _Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == total else centre + half
    return Interval(low, high, "wilson")


def _bootstrap_mean(values: NDArray[np.float64], resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    rows = max(1, _CELLS_AT_ONCE // len(values))
    parts = [
        values[rng.integers(0, len(values), size=(min(rows, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, rows)
    ]
    return np.concatenate(parts)


def _bootstrap_confusion(name: str, counts: Integers, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Resampling N (label, prediction) pairs is one multinomial draw over the cells they fall into."""
    cells = np.flatnonzero(counts)
    shares = counts.reshape(-1)[cells] / counts.sum()
    rows = max(1, _CELLS_AT_ONCE // counts.size)
    parts = []
    for start in range(0, resamples, rows):
        drawn = np.zeros((min(rows, resamples - start), counts.size), dtype=np.int64)
        drawn[:, cells] = rng.multinomial(counts.sum(), shares, size=len(drawn))
        parts.append(from_confusion(name, drawn.reshape(-1, *counts.shape)))
    return np.concatenate(parts)
