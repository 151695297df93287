"""How sure a metric of classification is: 95 % intervals for a score measured on a finite split."""

import numpy as np
from numpy.typing import NDArray

from graft.core.seeds import derive_seed
from graft.tasks.classification.metrics import (
    TOP,
    Floats,
    Integers,
    calibration_error,
    check,
    confusion,
    from_confusion,
    in_top,
    losses,
    ranked_classes,
)
from graft.tasks.intervals import Interval, bootstrap, percentiles, wilson
from graft.tasks.ranking import auroc

_CELLS_AT_ONCE = 4_000_000  # bounds the memory of a bootstrap at some 64 MB
_SLOW_RESAMPLES = 200  # of metrics that look at every row again


def interval(name: str, probs: Floats, labels: Integers, seed: int = 0, resamples: int = 1000) -> Interval:
    """The 95 % interval of one metric: Wilson's for the accuracies, a percentile bootstrap for the others.

    Args:
        name: one of `metrics.METRIC_NAMES`.
        probs: class probabilities [N, K].
        labels: [N].
        seed: the same seed gives the same interval.
        resamples: bootstrap resamples; at most 200 for AUROC and the calibration error.

    Raises:
        ValueError: shapes do not fit, there is no sample, a probability is not finite, or `name` is not a metric.
    """
    check(probs, labels, [name])
    if not np.isfinite(probs).all():
        raise ValueError("a probability is NaN or infinite, but must be finite to have an interval")
    predicted = probs.argmax(axis=1)
    if name == "accuracy":
        return wilson(int((predicted == labels).sum()), len(labels))
    if name in TOP:
        return wilson(int(in_top(probs, labels, TOP[name]).sum()), len(labels))
    if name == "auroc":
        return _auroc_interval(probs, labels, seed, min(resamples, _SLOW_RESAMPLES))
    rng = np.random.default_rng(derive_seed(seed, "bootstrap", name))
    if name == "ece":
        return percentiles(_bootstrap_error(probs, labels, min(resamples, _SLOW_RESAMPLES), rng))
    if name in ("loss", "log_loss"):
        return percentiles(_bootstrap_mean(losses(probs, labels), resamples, rng))
    return percentiles(_bootstrap_confusion(name, confusion(predicted, labels, probs.shape[1]), resamples, rng))


def _auroc_interval(probs: Floats, labels: Integers, seed: int, resamples: int) -> Interval:
    ranked = ranked_classes(labels, probs.shape[1])
    if not ranked:
        return Interval(0.0, 1.0, "bootstrap")

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = np.ascontiguousarray(weights.T)
        values = np.array([auroc(probs[:, k], labels == k, columns) for k in ranked])
        defined = ~np.isnan(values)
        total = np.where(defined, values, 0.0).sum(axis=0)
        mean: NDArray[np.float64] = np.divide(
            total, defined.sum(axis=0), out=np.full(len(weights), np.nan), where=defined.any(axis=0)
        )
        return mean

    return bootstrap(statistic, len(labels), seed, "auroc", resamples, most_cells=2e8 / len(ranked))


def _bootstrap_error(probs: Floats, labels: Integers, resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    drawn = (rng.integers(0, len(labels), len(labels)) for _ in range(resamples))
    return np.array([calibration_error(confidence[rows], right[rows]) for rows in drawn])


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
