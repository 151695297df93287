"""A sample of what is examined, for checks that cost more than a look; and the labels of its rows."""

import numpy as np

from graft.data.examination.examined import Examined

MOST = 5_000


def sampled(examined: Examined, most: int = MOST) -> np.ndarray:
    """int64 [n], ascending: rows whose digests come first, which is a random choice that no order changes."""
    order = np.argsort(examined.digests, kind="stable")
    rows: np.ndarray = np.sort(order[:most]).astype(np.int64)
    return rows


def labels_of(examined: Examined, rows: np.ndarray) -> np.ndarray | None:
    """int64 [n], the label of each; None if targets are no labels of which each sample has one."""
    targets = examined.targets
    if targets.ndim != 1 or targets.dtype.kind not in "iu" or len(examined.names) < 2:
        return None
    found: np.ndarray = targets[rows].astype(np.int64)
    return found


def in_order_of_content(examined: Examined, rows: np.ndarray) -> np.ndarray:
    """The same rows, sorted by their digests: folds that are drawn from them do not depend on the order of files."""
    order: np.ndarray = rows[np.argsort(examined.digests[rows], kind="stable")]
    return order
