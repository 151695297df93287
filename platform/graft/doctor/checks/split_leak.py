"""Copies and near copies that lie in different splits: what was trained on is tested on."""

from collections.abc import Iterator
from functools import reduce

import numpy as np

from graft.data.examination.copies import ALONE, across_splits, merged
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found
from graft.data.split import Split
from graft.data.splits.together import keep_together
from graft.spec.checks.clean import checks
from graft.spec.checks.samples import SplitLeakCheck
from graft.spec.registry import implementation


def split_leak(spec: SplitLeakCheck, examined: Examined) -> Iterator[Found]:
    """Every sample that has a copy in a split that comes after its own: test comes last, training first.

    Those are what ``drop`` leaves out, so that test samples stay. What ``fix`` does is decided by
    `graft.data.splits.together`.
    """
    groups, splits = all_groups(examined), examined.splits
    leaking = np.flatnonzero(across_splits(groups, splits))
    if not len(leaking):
        return
    # The last member of each group in the order of the splits: the one that the others must not be like.
    order = leaking[np.argsort(splits[leaking], kind="stable")]
    last = dict(zip(groups[order].tolist(), order.tolist(), strict=True))
    twins = {
        row: last[number]
        for row, number in zip(leaking.tolist(), groups[leaking].tolist(), strict=True)
        if splits[row] < splits[last[number]]
    }
    reasons = {
        row: f"has a copy in the {_named(splits[twin])} set, {examined.ids[twin]}" for row, twin in twins.items()
    }
    counted = None if examined.targets.dtype.kind == "f" else examined.targets
    together = keep_together(splits, groups, examined.movable, examined.split_rule == "hash", counted)
    rows = np.array(sorted(reasons), dtype=np.int64)
    detail = f"{examined.ids[int(rows[0])]} {reasons[int(rows[0])]}"
    if len(together.leaks):
        detail += (
            f"; {len(together.leaks)} groups of copies stay apart: graft has not drawn their splits, or too little of "
            "one would be left"
        )
    yield Found("split_leak", rows, detail=detail, reasons=reasons, splits=together.splits, twins=twins)


def _named(code: np.uint8) -> str:
    return Split(int(code)).name.lower()


def all_groups(examined: Examined) -> np.ndarray:
    """int64 [N], groups of copies and near copies, by all checks that know of any."""
    known = [one for one in checks().values() if one.groups_by and one.modality in (None, examined.modality)]
    groups = [examined.derived(one.groups_by, implementation(one.model_validate({}), one.groups_by)) for one in known]
    nobody = np.full(len(examined), ALONE, dtype=np.int64)
    return reduce(merged, groups, nobody)
