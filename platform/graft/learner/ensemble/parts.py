"""Rows that are judged in parts, and how sure a mean over rows is, where some of them belong together. Pure.

Rows of one group are right and wrong together. Of 800 works of 140 artists as many samples speak as there are artists:
a selection that has seen other works of an artist knows what it is judged on, and an error over rows is too small.
"""

import math

import numpy as np
from numpy.typing import NDArray

from graft.data.splits.folds import fold_codes

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def parts_of(rows: int, kin: Rows | None, count: int, seed: int) -> list[Rows]:
    """Random parts of like size; what belongs together is in one of them.

    Args:
        rows: N.
        kin: int64 [N], one number for rows that belong together; None where none do.
        count: of parts; fewer where there are fewer rows, or groups.
        seed: of the draw.

    Returns:
        The rows of each part, ascending, none empty.
    """
    groups = rows if kin is None else len(np.unique(kin))
    if kin is None or groups in (1, rows):
        order = np.random.default_rng(seed).permutation(rows)
        return [np.sort(part) for part in np.array_split(order, min(count, rows))]
    names = [str(code) for code in kin.tolist()]
    codes = fold_codes(np.zeros(rows, dtype=np.int64), names, min(count, groups), 1, seed)[0]
    return [np.flatnonzero(codes == part) for part in range(min(count, groups))]


def error_of_mean(values: Floats, kin: Rows | None) -> float:
    """The standard error of the mean of some rows.

    Of groups, it is that of a mean over clusters (Liang & Zeger, Biometrika 1986): sums over a group, instead of single
    rows, are what differs by chance. Where all rows are of one group it is unknown; then it is that of rows.
    """
    apart = values - values.mean()
    if kin is not None and len(np.unique(kin)) > 1:
        apart = np.bincount(np.unique(kin, return_inverse=True)[1], weights=apart)
    count = len(apart)
    return math.sqrt(count / (count - 1) * float(np.square(apart).sum())) / len(values)
