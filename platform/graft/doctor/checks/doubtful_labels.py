"""Labels that a model of the other samples finds wrong, and samples that are far from all others."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.doctor.checks.sampled import in_order_of_content, labels_of, sampled
from graft.spec.checks.labels import DoubtfulLabelCheck
from graft.spec.registry import implementation, members
from graft.tasks.classification.checks.out_of_fold import out_of_fold_logits
from graft.tasks.classification.checks.suspicious import doubts_of

FEWEST, FEWEST_OF_A_LABEL = 100, 5
_NEIGHBOURS = 10
_FAR = 6.0
_ROWS_AT_ONCE = 1000


def doubtful_labels(spec: DoubtfulLabelCheck, examined: Examined) -> Iterator[Found]:
    """Suspicious labels, and outliers among frozen features; of many samples a part is looked at."""
    rows = in_order_of_content(examined, sampled(examined))
    labels = labels_of(examined, rows)
    if labels is None:
        return
    enough = np.bincount(labels, minlength=len(examined.names))[labels] >= FEWEST_OF_A_LABEL
    rows, labels = rows[enough], labels[enough]
    if len(rows) < FEWEST or len(np.unique(labels)) < 2:
        return
    features = _features(examined, rows)
    if features is None:
        return
    yield _suspicious(examined, rows, labels, features)
    if isinstance(features, np.ndarray):
        far = np.sort(rows[far_from_neighbours(features)])
        reasons = {int(row): "is unlike all others in what a pretrained network sees" for row in far}
        yield Found("outlier", far, reasons=reasons)


def far_from_neighbours(features: np.ndarray) -> np.ndarray:
    """bool [N], whether the distance to the tenth neighbour is far beyond the usual (Ramaswamy, Rastogi, Shim 2000).

    Args:
        features: float [N, D].
    """
    spread = features.std(axis=0)
    normal = ((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    place = min(_NEIGHBOURS, len(normal) - 1)
    nearest = [
        np.partition(1 - normal[start : start + _ROWS_AT_ONCE] @ normal.T, place, axis=1)[:, place]
        for start in range(0, len(normal), _ROWS_AT_ONCE)
    ]
    distances = np.concatenate(nearest)
    above = distances - np.median(distances)
    far: np.ndarray = above > _FAR * max(1.4826 * float(np.median(np.abs(above))), 1e-3)
    return far


def _features(examined: Examined, rows: np.ndarray) -> Any:
    modality = members("modality").get(examined.modality)
    wanted: str = getattr(modality, "features_by", "")
    if modality is None or not wanted:
        return None
    return implementation(modality.model_validate({}), wanted)(examined, rows)


def _suspicious(examined: Examined, rows: np.ndarray, labels: np.ndarray, features: Any) -> Found:
    codes, dense = np.unique(labels, return_inverse=True)
    doubts = doubts_of(out_of_fold_logits(features, dense), dense)
    at = doubts.suspicious
    names = examined.names
    reasons = {
        int(rows[one]): f"is labelled {names[labels[one]]}, but looks like {names[codes[doubts.likely[one]]]}"
        for one in at.tolist()
    }
    part = "" if len(rows) == len(examined) else f"of {len(rows)} of {len(examined)} samples that were looked at; "
    first = f"the surest one {reasons[int(rows[at[0]])]}" if len(at) else ""
    return Found("suspicious_label", np.sort(rows[at]), detail=part + first, reasons=reasons)
