"""Which rows are left out together when a strength is chosen."""

from dataclasses import dataclass

import numpy as np

from graft.core.seeds import derive_seed
from graft.data.splits.folds import fold_codes
from graft.transfer.closed_form.problem import Fitting, LinearTargets

# Whole groups are left out in so many parts: more cost more, and choose no better (docs/benchmarks.md).
PARTS = 10
# So few rows that belong to others hardly move a strength; leaving out parts costs several times as much as rows.
FEW = 0.05


@dataclass(frozen=True)
class HeldOut:
    """Rows that a model is judged on which has not seen them.

    Attributes:
        kept: what is fitted, int64.
        rows: all others: what is left out.
        judged: those of them whose error says something: what a class is cannot be said by those who have not seen it.
    """

    kept: np.ndarray
    rows: np.ndarray
    judged: np.ndarray


def parts_of(targets: LinearTargets, fitting: Fitting) -> list[HeldOut]:
    """What is left out together of a fitting, with the targets that it learns; none where (nearly) all are alone."""
    kin = fitting.kin
    if kin is None:
        return []
    counts = np.unique(kin, return_counts=True)[1]
    if counts[counts > 1].sum() < max(FEW * len(kin), 1):
        return []
    return held_out(targets, kin, PARTS, fitting.seed)


def held_out(targets: LinearTargets, kin: np.ndarray | None, count: int, seed: int) -> list[HeldOut]:
    """Stratified folds; rows that belong together are left out together, as they are alike.

    Args:
        targets: of the rows.
        kin: int64 [N], one number for rows that belong together; None where none do.
        count: of folds, at most.
        seed: deals the rows out.

    Returns:
        Those with rows to judge by; empty where all rows belong together, or each class to rows of its own.
    """
    count = min(count, len(targets.values) if kin is None else len(np.unique(kin)))
    if count < 2:
        return []
    groups = None if kin is None else [str(code) for code in kin.tolist()]
    codes = fold_codes(targets.strata, groups, count, 1, derive_seed(seed, "strength"))[0]
    found = []
    for fold in range(count):
        kept, rows = np.flatnonzero(codes != fold), np.flatnonzero(codes == fold)
        known = np.isin(targets.values[rows], targets.values[kept]) if targets.link == "softmax" else slice(None)
        found.append(HeldOut(kept, rows, rows[known]))
    return [one for one in found if len(one.judged)]
