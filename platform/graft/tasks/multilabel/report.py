"""Everything worth knowing about predicted labels on one split, as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from graft.tasks.multilabel.intervals import interval
from graft.tasks.multilabel.metrics import (
    METRIC_NAMES,
    Indicators,
    applied,
    check,
    losses,
    precisions,
    score,
    thresholds_of,
)
from graft.tasks.ranking import Floats


def build_report(
    probs: Floats,
    labels: Indicators,
    ids: Sequence[str],
    names: Sequence[str],
    facts: Mapping[str, Any],
    seed: int = 0,
    num_worst: int = 20,
) -> dict[str, Any]:
    """Score predictions in every way there is.

    Args:
        probs: [N, L].
        labels: [N, L].
        ids: N names of the samples.
        names: of the labels.
        facts: ``thresholds``, if there are any.
        seed: of the bootstrap.
        num_worst: how many samples to name at most.

    Raises:
        ValueError: shapes do not fit, there is no sample, or a probability is not finite.
    """
    check(probs, labels)
    if len(ids) != len(labels):
        raise ValueError(f"there are {len(ids)} sample ids, but must be {len(labels)}, one a sample")
    absent = [name for name, occurs in zip(names, (labels == 1).any(axis=0), strict=True) if not occurs]
    return {
        "format": 1,
        "task": "multilabel",
        "num_samples": len(labels),
        "labels": list(names),
        "metrics": score(probs, labels, METRIC_NAMES, facts),
        "intervals": {name: asdict(interval(name, probs, labels, facts, seed)) for name in METRIC_NAMES},
        "per_label": _per_label(probs, labels, names, facts),
        "without_positives": {"count": len(absent), "names": absent},
        "worst": _worst(probs, labels, ids, names, facts)[:num_worst],
        "undefined": {"map": "no sample has a label"} if len(absent) == len(names) else {},
    }


def _per_label(
    probs: Floats, labels: Indicators, names: Sequence[str], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    decided, positive = applied(probs, facts), labels == 1
    hits, predicted, support = (part.sum(axis=0) for part in (decided & positive, decided, positive))
    ranked, thresholds = precisions(probs, labels), thresholds_of(facts, len(names))
    return [
        {
            "name": name,
            "support": int(support[k]),
            "predicted": int(predicted[k]),
            "precision": _share(hits[k], predicted[k]),
            "recall": _share(hits[k], support[k]),
            "f1": _share(2 * hits[k], support[k] + predicted[k]),
            "average_precision": float(ranked[k]) if support[k] else None,
            "threshold": float(thresholds[k]),
        }
        for k, name in enumerate(names)
    ]


def _worst(
    probs: Floats, labels: Indicators, ids: Sequence[str], names: Sequence[str], facts: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Samples with a wrong label, the most surprising first."""
    decided, positive, cost = applied(probs, facts), labels == 1, losses(probs, labels)
    wrong = np.flatnonzero((decided != positive).any(axis=1))
    return [
        {
            "id": str(ids[row]),
            "loss": float(cost[row]),
            "labels": _named(positive[row], names),
            "missed": _named(positive[row] & ~decided[row], names),
            "added": _named(decided[row] & ~positive[row], names),
        }
        for row in wrong[np.argsort(-cost[wrong], kind="stable")]
    ]


def _named(row: np.ndarray, names: Sequence[str]) -> list[str]:
    return [names[k] for k in np.flatnonzero(row).tolist()]


def _share(part: Any, whole: Any) -> float | None:
    return float(part / whole) if whole else None
