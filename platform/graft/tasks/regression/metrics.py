"""Metrics of predicted numbers against true ones: plain numpy, no model needed.

Every function takes predictions and targets [N, T] in their own units. A prediction that is NaN is none: all metrics
are NaN then. A metric over several targets is the mean of theirs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.ranking import ranks

METRIC_NAMES = ("mae", "rmse", "r2", "spearman", "loss")

Floats = NDArray[np.floating[Any]]


def score(predictions: Floats, targets: Floats, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, float]:
    """The metrics asked for, by name.

    - ``mae``: mean absolute error, in units of the target.
    - ``rmse``: root of the mean squared error, in units of the target.
    - ``r2``: share of the variance that is explained; 0 if the targets do not vary.
    - ``spearman``: correlation of the ranks; 0 if predictions or targets do not vary.
    - ``loss``: mean squared error in standard deviations of the training targets.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a name is not a metric.
    """
    check(predictions, targets, names)
    if not np.isfinite(predictions).all():
        return dict.fromkeys(names, float("nan"))
    std = np.asarray(facts["std"], dtype=np.float64)
    return {name: float(per_target(name, predictions, targets, std).mean()) for name in names}


def per_target(name: str, predictions: Floats, targets: Floats, std: Floats) -> NDArray[np.float64]:
    """One metric of each target, [T]."""
    if name == "spearman":
        pairs = zip(predictions.T, targets.T, strict=True)
        return np.array([spearman(first, second) for first, second in pairs])
    values: NDArray[np.float64] = weighted(name, predictions, targets, std, np.ones((1, len(targets))))[0]
    return values


def weighted(name: str, predictions: Floats, targets: Floats, std: Floats, weights: Floats) -> NDArray[np.float64]:
    """One metric, but for Spearman's, under many weightings of the rows [R, N] at once: [R, T]."""
    errors = predictions - targets
    total = weights.sum(axis=1, keepdims=True)
    if name == "mae":
        absolute: NDArray[np.float64] = weights @ np.abs(errors) / total
        return absolute
    squared: NDArray[np.float64] = weights @ errors**2 / total
    if name == "rmse":
        return np.sqrt(squared)
    if name == "loss":
        return squared / std**2
    centred = targets - targets.mean(axis=0)  # the variance of numbers far from 0 would lose its digits
    variance = weights @ centred**2 / total - (weights @ centred / total) ** 2
    varies = variance > 1e-12 * centred.var(axis=0)
    unexplained = np.divide(squared, variance, out=np.ones(squared.shape), where=varies)
    explained: NDArray[np.float64] = 1 - unexplained
    return explained


def spearman(predictions: Floats, targets: Floats) -> float:
    """Spearman's rank correlation of two columns [N]; 0 if one of them does not vary."""
    first, second = ranks(predictions), ranks(targets)
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / scale) if scale > 0 else 0.0


def check(predictions: Floats, targets: Floats, names: Sequence[str] = ()) -> None:
    """Refuse arrays that do not fit together, and names that are no metrics.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a name is not a metric.
    """
    if unknown := [name for name in names if name not in METRIC_NAMES]:
        raise ValueError(f"metric is `{unknown[0]}`, but must be one of {', '.join(METRIC_NAMES)}")
    if predictions.ndim != 2 or predictions.shape != targets.shape:
        raise ValueError(f"shapes are {predictions.shape} and {targets.shape}, but must be [N, T] both")
    if len(targets) == 0:
        raise ValueError("there is no sample to score, but at least one is needed")
