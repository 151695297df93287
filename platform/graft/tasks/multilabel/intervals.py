"""How sure a metric of several labels is: 95 % intervals for a score measured on a finite split."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.intervals import Interval, Statistic, bootstrap, wilson
from graft.tasks.multilabel.metrics import Indicators, applied, check, f1_of, losses
from graft.tasks.ranking import Floats, average_precision

_RANK_RESAMPLES = 200


def interval(
    name: str, probs: Floats, labels: Indicators, facts: Mapping[str, Any], seed: int = 0, resamples: int = 1000
) -> Interval:
    """The 95 % interval of one metric: Wilson's for the share of right samples, a bootstrap over rows for the others.

    Args:
        name: one of `metrics.METRIC_NAMES`.
        probs: [N, L].
        labels: [N, L].
        facts: ``thresholds``, if there are any.
        seed: the same seed gives the same interval.
        resamples: how many; at most 200 for mAP.

    Raises:
        ValueError: shapes do not fit, there is no sample, a probability is not finite, or `name` is not a metric.
    """
    check(probs, labels, [name])
    if not np.isfinite(probs).all():
        raise ValueError("a probability is NaN or infinite, but must be finite to have an interval")
    decided, positive = applied(probs, facts), labels == 1
    if name == "subset_accuracy":
        return wilson(int((decided == positive).all(axis=1).sum()), len(labels))
    if name == "map":
        return _map_interval(probs, positive, seed, min(resamples, _RANK_RESAMPLES))
    statistic = _mean_of(losses(probs, labels)) if name == "loss" else _f1(name, decided, positive)
    # Each resample costs a multiplication with every label.
    return bootstrap(statistic, len(labels), seed, name, resamples, most_cells=1e9 / labels.shape[1])


def _map_interval(probs: Floats, positive: NDArray[np.bool_], seed: int, resamples: int) -> Interval:
    occurring = np.flatnonzero(positive.any(axis=0))
    if not len(occurring):
        return Interval(0.0, 1.0, "bootstrap")

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        total, defined = np.zeros(len(weights)), np.zeros(len(weights))
        columns = np.ascontiguousarray(weights.T)
        for label in occurring:
            values = average_precision(probs[:, label], positive[:, label], columns)
            total += np.nan_to_num(values)
            defined += ~np.isnan(values)
        mean: NDArray[np.float64] = np.divide(total, defined, out=np.full(len(weights), np.nan), where=defined > 0)
        return mean

    return bootstrap(statistic, len(positive), seed, "map", resamples, most_cells=2e8 / len(occurring))


def _mean_of(values: NDArray[np.float64]) -> Statistic:
    return lambda weights: np.asarray(weights @ values / weights.sum(axis=1))


def _f1(name: str, decided: NDArray[np.bool_], positive: NDArray[np.bool_]) -> Statistic:
    parts = [part.astype(np.float64) for part in (decided & positive, decided, positive)]
    return lambda weights: f1_of(name, *(np.asarray(weights @ part) for part in parts))
