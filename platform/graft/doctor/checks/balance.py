"""How many training samples each label has, for every task whose targets are labels."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.data.split import Split
from graft.spec.checks.samples import BalanceCheck

RARE = 0.1
"""A label with less than this share of the samples of the most frequent one is rare."""
FEW = 10
"""A label with fewer training samples is tiny."""


def balance(spec: BalanceCheck, examined: Examined) -> Iterator[Found]:
    """Rare and tiny labels, the rarest first."""
    counts = label_counts(examined)
    if counts is None or not counts.sum():
        return
    order = np.lexsort((np.array(examined.names), counts))
    most = int(counts.max())
    rare = [int(label) for label in order if counts[label] < RARE * most]
    tiny = [int(label) for label in order if counts[label] < FEW]
    commonest = examined.names[int(counts.argmax())]
    for kind, labels in (("imbalance", rare), ("tiny_class", tiny)):
        if labels:
            first = labels[0]
            detail = f"{examined.names[first]} has {counts[first]} training samples, {commonest} {most}"
            yield Found(kind, subjects=tuple(examined.names[label] for label in labels), detail=detail)


def label_counts(examined: Examined) -> np.ndarray | None:
    """int64 [L], training samples with each label; None if targets are no labels."""
    targets, names = examined.targets[examined.rows(Split.TRAIN)], examined.names
    if targets.ndim == 1 and targets.dtype.kind in "iu":
        return np.bincount(targets, minlength=len(names))[: len(names)]
    if targets.ndim == 2 and targets.dtype == np.uint8 and targets.shape[1] == len(names):
        counts: np.ndarray = targets.sum(axis=0, dtype=np.int64)
        return counts
    return None
