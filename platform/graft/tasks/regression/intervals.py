"""How sure a metric of regression is, and how far a single value may lie from its prediction."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.intervals import Interval, bootstrap
from graft.tasks.regression.metrics import Floats, check, weighted

_RANK_RESAMPLES = 200


def interval(
    name: str, predictions: Floats, targets: Floats, facts: Mapping[str, Any], seed: int = 0, resamples: int = 1000
) -> Interval:
    """The 95 % interval of one metric by a percentile bootstrap over rows.

    Args:
        name: one of `metrics.METRIC_NAMES`.
        predictions: [N, T].
        targets: [N, T].
        facts: ``std`` of the training targets.
        seed: the same seed gives the same interval.
        resamples: how many; at most 200 for Spearman's.

    Raises:
        ValueError: shapes do not fit, there is no sample, a prediction is not finite, or `name` is not a metric.
    """
    check(predictions, targets, [name])
    if not np.isfinite(predictions).all():
        raise ValueError("a prediction is NaN or infinite, but must be finite to have an interval")
    std = np.asarray(facts["std"], dtype=np.float64)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        if name == "spearman":
            return _rank_correlations(predictions, targets, weights)
        values: NDArray[np.float64] = weighted(name, predictions, targets, std, weights).mean(axis=1)
        return values

    most = min(resamples, _RANK_RESAMPLES) if name == "spearman" else resamples
    return bootstrap(statistic, len(targets), seed, name, most)


def prediction_interval(predictions: Floats, targets: Floats, coverage: float) -> dict[str, Any]:
    """How far values lie below and above their predictions: split-conformal quantiles of the residuals.

    New samples of the same kind lie within with at least the probability asked for (Lei, G'Sell, Rinaldo, Tibshirani,
    Wasserman, JASA 2018), because each bound is an order statistic moved outwards by one sample. With too few samples
    for the coverage asked for, the bounds are the extremes, which hold less.

    Args:
        predictions: of rows that were not trained on, [N, T].
        targets: of the same rows, [N, T].
        coverage: share of the values that are to lie within, in (0, 1).

    Returns:
        ``coverage``, ``low`` and ``high`` (what to add to a prediction, a number for each target), ``num_samples``, and
        ``is_wide_enough``: whether there were enough samples.
    """
    check(predictions, targets)
    residuals = np.sort(targets - predictions, axis=0)
    count = len(residuals)
    below = math.floor((count + 1) * (1 - coverage) / 2 + 1e-9)  # of 1..count; 0 lies beyond the smallest
    return {
        "coverage": coverage,
        "low": residuals[max(below, 1) - 1].tolist(),
        "high": residuals[count - max(below, 1)].tolist(),
        "num_samples": count,
        "is_wide_enough": below >= 1,
    }


def _rank_correlations(predictions: Floats, targets: Floats, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spearman's correlation of each resample: ranks of rows that are drawn several times, from their counts."""
    found = [
        _weighted_correlation(_places(first, weights), _places(second, weights), weights)
        for first, second in zip(predictions.T, targets.T, strict=True)
    ]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _places(values: Floats, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean rank of each row [R, N] among the rows as they were drawn."""
    _, groups, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order = np.argsort(groups, kind="stable")
    counts = np.add.reduceat(weights[:, order], np.cumsum(sizes) - sizes, axis=1)
    places: NDArray[np.float64] = (np.cumsum(counts, axis=1) - counts / 2)[:, groups]
    return places


def _weighted_correlation(
    first: NDArray[np.float64], second: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = weights.sum(axis=1, keepdims=True)
    first = first - (weights * first).sum(axis=1, keepdims=True) / total
    second = second - (weights * second).sum(axis=1, keepdims=True) / total
    scale = np.sqrt((weights * first**2).sum(axis=1) * (weights * second**2).sum(axis=1))
    together = (weights * first * second).sum(axis=1)
    correlation: NDArray[np.float64] = np.divide(together, scale, out=np.zeros(len(scale)), where=scale > 0)
    return correlation
