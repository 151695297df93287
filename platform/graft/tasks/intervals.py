"""How sure a metric is: what the 95 % intervals of all tasks are made of.

They say how far a score would move with other samples of the same kind. They know nothing of another training seed, or
of data that is not like this split.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.spec.metrics import MetricSpec

_Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
_CELLS_AT_ONCE = 2_000_000  # bounds the memory of a bootstrap

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""How often each row was drawn, [R, N], to the metric of each resample, [R]; NaN where it has none."""


@dataclass(frozen=True)
class Interval:
    """A 95 % interval; `method` is how it was made."""

    low: float
    high: float
    method: Literal["wilson", "bootstrap", "folds"]


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


def bootstrap(
    statistic: Statistic, num_rows: int, seed: int, name: str, resamples: int = 1000, most_cells: float = 1e9
) -> Interval:
    """Percentile bootstrap over rows.

    Args:
        statistic: the metric under weights.
        num_rows: N.
        seed: the same seed gives the same interval.
        name: of the metric, which has its own random stream.
        resamples: how many; fewer, but at least 50, where `most_cells` would be exceeded.
        most_cells: bounds R · N.
    """
    rng = np.random.default_rng(derive_seed(seed, "bootstrap", name))
    total = max(50, min(resamples, int(most_cells / num_rows)))
    at_once = max(1, _CELLS_AT_ONCE // num_rows)
    parts = []
    for start in range(0, total, at_once):
        drawn = [
            np.bincount(rng.integers(0, num_rows, num_rows), minlength=num_rows)
            for _ in range(min(at_once, total - start))
        ]
        parts.append(statistic(np.array(drawn, dtype=np.float64)))
    return percentiles(np.concatenate(parts))


def resampled(scores: Sequence[float], held_out: float, metric: MetricSpec, num_rows: int) -> Interval:
    """Interval of the mean score of models that were each trained on other rows of one sample.

    Their training rows overlap, so they err together, and the usual standard error is too small. The corrected one is
    that of Nadeau and Bengio (Machine Learning 2003): s² (1/J + n₂/n₁) with J scores, n₁ rows to train on and n₂ to
    test on, and Student's t with J − 1 degrees of freedom.

    Args:
        scores: of J folds, J >= 2.
        held_out: n₂/n₁.
        metric: that they are of; the interval stays within its bounds. Where all folds have one share, they say nothing
            of how far others would be apart: then it is that of a share of the rows.
        num_rows: held out by the folds together.
    """
    from scipy.special import stdtrit  # half a second that predictions need not wait for

    mean, count = float(np.mean(scores)), len(scores)
    if metric.is_share and min(scores) == max(scores):
        return replace(wilson(round(mean * num_rows), num_rows), method="folds")
    error = math.sqrt(float(np.var(scores, ddof=1)) * (1 / count + held_out))
    half = float(stdtrit(count - 1, 0.975)) * error
    return Interval(max(mean - half, metric.lowest), min(mean + half, metric.highest), "folds")


def percentiles(values: NDArray[np.float64]) -> Interval:
    """The middle 95 % of what resamples gave, without those that gave nothing."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        raise ValueError("no resample has a value, but an interval needs some")
    low, high = np.quantile(defined, [0.025, 0.975])
    return Interval(float(low), float(high), "bootstrap")
