"""Metrics of label probabilities against labels: plain numpy, no model needed.

Every function takes probabilities [N, L] and indicators [N, L]. A probability that is NaN is no prediction: all metrics
are NaN then. A label applies where its probability reaches its threshold: 0.5, or its own of ``thresholds``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.ranking import Floats, average_precision

METRIC_NAMES = ("map", "macro_f1", "micro_f1", "subset_accuracy", "loss")

# −log of this is the most a single label can cost: 0 would make the loss of the whole split infinite.
_SMALLEST = 1e-15

Indicators = NDArray[Any]


def score(probs: Floats, labels: Indicators, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, float]:
    """The metrics asked for, by name.

    - ``map``: mean average precision of the labels that occur; 0 if none does.
    - ``macro_f1``: mean F1 of the labels that occur or are predicted.
    - ``micro_f1``: F1 of all decisions together.
    - ``subset_accuracy``: share of samples all of whose labels are right.
    - ``loss``: mean binary cross-entropy of every label, in nats.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a name is not a metric.
    """
    check(probs, labels, names)
    if not np.isfinite(probs).all():
        return dict.fromkeys(names, float("nan"))
    return {name: _metric(name, probs, labels, facts) for name in names}


def applied(probs: Floats, facts: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Which labels are predicted, [N, L]."""
    reached: NDArray[np.bool_] = probs >= thresholds_of(facts, probs.shape[1])
    return reached


def thresholds_of(facts: Mapping[str, Any], num_labels: int) -> NDArray[np.float64]:
    """The threshold of each label, [L]."""
    return np.asarray(facts.get("thresholds") or [0.5] * num_labels, dtype=np.float64)


def losses(probs: Floats, labels: Indicators) -> NDArray[np.float64]:
    """Mean binary cross-entropy over the labels of each sample, [N], in nats."""
    right = np.where(labels == 1, probs, 1 - probs).astype(np.float64)
    mean: NDArray[np.float64] = -np.log(np.maximum(right, _SMALLEST)).mean(axis=1)
    return mean


def f1_of(name: str, hits: Floats, predicted: Floats, positive: Floats) -> NDArray[np.float64]:
    """Macro or micro F1 of many countings at once: right, predicted and true labels [R, L] to [R]."""
    if name == "micro_f1":
        hits, predicted, positive = (part.sum(axis=1, keepdims=True) for part in (hits, predicted, positive))
    wholes = predicted + positive
    counted = wholes > 0
    shares = np.divide(2 * hits, wholes, out=np.zeros(hits.shape), where=counted)
    number = counted.sum(axis=1)
    mean: NDArray[np.float64] = np.divide(shares.sum(axis=1), number, out=np.zeros(len(hits)), where=number > 0)
    return mean


def precisions(probs: Floats, labels: Indicators) -> NDArray[np.float64]:
    """Average precision of each label [L]; NaN for one that does not occur."""
    columns = zip(probs.T, labels.T == 1, strict=True)
    return np.array([average_precision(column, positive)[0] for column, positive in columns])


def check(probs: Floats, labels: Indicators, names: Sequence[str] = ()) -> None:
    """Refuse arrays that do not fit together, and names that are no metrics.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a name is not a metric.
    """
    if unknown := [name for name in names if name not in METRIC_NAMES]:
        raise ValueError(f"metric is `{unknown[0]}`, but must be one of {', '.join(METRIC_NAMES)}")
    if probs.ndim != 2 or probs.shape != labels.shape:
        raise ValueError(f"shapes are {probs.shape} and {labels.shape}, but must be [N, L] both")
    if len(labels) == 0:
        raise ValueError("there is no sample to score, but at least one is needed")


def _metric(name: str, probs: Floats, labels: Indicators, facts: Mapping[str, Any]) -> float:
    if name == "map":
        found = precisions(probs, labels)
        return float(np.nanmean(found)) if not np.isnan(found).all() else 0.0
    if name == "loss":
        return float(losses(probs, labels).mean())
    decided, positive = applied(probs, facts), labels == 1
    if name == "subset_accuracy":
        return float((decided == positive).all(axis=1).mean())
    counts = ((decided & positive), decided, positive)
    hits, predicted, true = (part.sum(axis=0, dtype=np.float64)[None] for part in counts)
    return float(f1_of(name, hits, predicted, true)[0])
