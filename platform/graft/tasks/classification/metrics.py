"""Metrics of class probabilities against labels, no model needed.

Every function takes probabilities [N, K] whose rows sum to 1 and labels [N] in 0..K-1. A probability that is NaN is no
prediction: all metrics are NaN then, instead of a number that looks like a result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graft.tasks.ranking import auroc

TRIAL_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "loss")
"""Plain numpy, cheap enough for every epoch of every trial."""

METRIC_NAMES = (*TRIAL_METRICS, "log_loss", "auroc", "ece", "top_3_accuracy", "top_5_accuracy")

TOP = {"top_3_accuracy": 3, "top_5_accuracy": 5}

# −log of this is the most a single sample can cost: 0 would make the loss of the whole split infinite.
_SMALLEST = 1e-15

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]


def score(probs: Floats, labels: Integers, names: Sequence[str] = METRIC_NAMES) -> dict[str, float]:
    """The metrics asked for, by name.

    - ``accuracy``: share of samples whose most probable class is the label.
    - ``balanced_accuracy``: mean recall of the classes that occur in `labels`.
    - ``macro_f1``: mean F1 of the classes that occur in `labels` or are predicted, as scikit-learn defines it.
    - ``loss``, ``log_loss``: mean of −ln p(label), in nats, without label smoothing.
    - ``auroc``: area under the ROC curve, of each class that occurs against the rest, averaged; with two classes that
      of the second. 0.5 if there is only one class in `labels`.
    - ``ece``: expected calibration error in 15 bins of equal width.
    - ``top_3_accuracy``, ``top_5_accuracy``: share of samples whose label is among the most probable ones; 1 with no
      more classes than that.

    Raises:
        ValueError: shapes or labels do not fit, there is no sample, or a name is not a metric.
    """
    check(probs, labels, names)
    if not np.isfinite(probs).all():
        return dict.fromkeys(names, float("nan"))
    return {name: _metric(name, probs, labels) for name in names}


def in_top(probs: Floats, labels: Integers, k: int) -> NDArray[np.bool_]:
    """Whether the label of each sample [N] is among its k most probable classes; the first of equals goes first."""
    own = probs[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probs.shape[1]) < np.asarray(labels)[:, None]
    before: NDArray[np.bool_] = ((probs > own) | ((probs == own) & earlier)).sum(axis=1) < k
    return before


def calibration_error(confidence: Floats, right: NDArray[np.bool_], equal_mass: bool = False, bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and accuracy (Naeini, Cooper, Hauskrecht, AAAI 2015).

    Args:
        confidence: probability of the class that was predicted, [N].
        right: whether it was right, [N].
        equal_mass: bins with as many samples each, instead of bins of equal width.
        bins: how many.
    """
    if equal_mass:
        place = np.argsort(np.argsort(confidence, kind="stable"), kind="stable") * bins // len(right)
    else:
        place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))


def ranked_classes(labels: Integers, num_classes: int) -> list[int]:
    """The classes whose curves `auroc` averages: those that occur, but not alone; of two the second says it all."""
    present = np.unique(labels)
    if len(present) < 2:
        return []
    return [1] if num_classes == 2 else [int(k) for k in present]


def losses(probs: Floats, labels: Integers) -> NDArray[np.float64]:
    """−ln p(label) of each sample [N], in nats; at most 34.5."""
    picked = probs[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(picked, _SMALLEST))


def confusion(predicted: Integers, labels: Integers, num_classes: int) -> NDArray[np.int64]:
    """Counts [K, K]: row = label, column = prediction."""
    cells = np.asarray(labels, dtype=np.int64) * num_classes + predicted
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes).astype(np.int64)


def from_confusion(name: str, counts: Integers) -> NDArray[np.float64]:
    """A metric of many confusion matrices at once: counts [B, K, K] to values [B]. Not for the loss."""
    hits = np.diagonal(counts, axis1=1, axis2=2).astype(np.float64)
    support, predicted = counts.sum(axis=2), counts.sum(axis=1)
    if name == "accuracy":
        accuracy: NDArray[np.float64] = hits.sum(axis=1) / support.sum(axis=1)
        return accuracy
    if name == "balanced_accuracy":
        return _mean_over(hits, support, support > 0)
    return _mean_over(2 * hits, support + predicted, support + predicted > 0)


@dataclass(frozen=True)
class ClassScore:
    """How one class fares.

    Attributes:
        name: of the class.
        support: samples that are of this class.
        precision: share of right ones among those predicted as this class; None if none was.
        recall: share of right ones among those of this class; None if there is none.
        f1: harmonic mean of both; None if the class neither occurs nor is predicted.
    """

    name: str
    support: int
    precision: float | None
    recall: float | None
    f1: float | None


def per_class(counts: Integers, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Scores of each class from one confusion matrix [K, K].

    Raises:
        ValueError: there is not one name a class.
    """
    if len(names) != len(counts):
        raise ValueError(f"there are {len(names)} class names, but must be {len(counts)}, one a class")
    support, predicted, hits = counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts)
    return tuple(
        ClassScore(
            name=name,
            support=int(support[k]),
            precision=_share(hits[k], predicted[k]),
            recall=_share(hits[k], support[k]),
            f1=_share(2 * hits[k], support[k] + predicted[k]),
        )
        for k, name in enumerate(names)
    )


def check(probs: Floats, labels: Integers, names: Sequence[str] = ()) -> None:
    """Refuse arrays that do not fit together, and names that are no metrics.

    Raises:
        ValueError: shapes or labels do not fit, there is no sample, or a name is not a metric.
    """
    if unknown := [name for name in names if name not in METRIC_NAMES]:
        raise ValueError(f"metric is `{unknown[0]}`, but must be one of {', '.join(METRIC_NAMES)}")
    if probs.ndim != 2 or labels.ndim != 1 or len(probs) != len(labels):
        raise ValueError(f"shapes are {probs.shape} and {labels.shape}, but must be [N, K] and [N]")
    if len(labels) == 0:
        raise ValueError("there is no sample to score, but at least one is needed")
    if labels.min() < 0 or labels.max() >= probs.shape[1]:
        raise ValueError(f"labels are {labels.min()}..{labels.max()}, but must be within 0..{probs.shape[1] - 1}")


def _metric(name: str, probs: Floats, labels: Integers) -> float:
    if name in ("loss", "log_loss"):
        return float(losses(probs, labels).mean())
    if name == "auroc":
        return _auroc(probs, labels)
    if name == "ece":
        return calibration_error(probs.max(axis=1), probs.argmax(axis=1) == labels)
    if name in TOP:
        return float(in_top(probs, labels, TOP[name]).mean())
    return float(from_confusion(name, confusion(probs.argmax(axis=1), labels, probs.shape[1])[None])[0])


def _auroc(probs: Floats, labels: Integers) -> float:
    ranked = ranked_classes(labels, probs.shape[1])
    return float(np.mean([auroc(probs[:, k], labels == k)[0] for k in ranked])) if ranked else 0.5


def _mean_over(parts: Floats, wholes: Integers, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    shares = np.divide(parts, wholes, out=np.zeros(parts.shape), where=counted)
    mean: NDArray[np.float64] = shares.sum(axis=1) / counted.sum(axis=1)
    return mean


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None
