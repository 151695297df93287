"""One and the same sample with two labels."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.copies import ALONE
from graft.data.examination.examined import Examined
from graft.data.examination.extra_copies import twins_found
from graft.data.examination.found import Found
from graft.doctor.checks.copies import exact_groups
from graft.spec.checks.samples import ConflictingLabelCheck, CopiesCheck


def conflicting_labels(spec: ConflictingLabelCheck, examined: Examined) -> Iterator[Found]:
    """All samples of every group of equal ones whose targets differ, in whatever split they lie."""
    groups = examined.derived(CopiesCheck.groups_by, exact_groups)
    rows = np.flatnonzero(groups != ALONE)
    if not len(rows):
        return
    targets = np.ascontiguousarray(examined.targets[rows].reshape(len(rows), -1)).astype(np.float64)
    # Values that are missing are equal to each other.
    _, codes = np.unique(np.nan_to_num(targets, nan=np.finfo(np.float64).max), axis=0, return_inverse=True)
    pairs = np.unique(np.column_stack([groups[rows], codes.reshape(-1)]), axis=0)
    numbers, counts = np.unique(pairs[:, 0], return_counts=True)
    found = rows[np.isin(groups[rows], numbers[counts > 1])].astype(np.int64)
    if not len(found):
        return
    first = {int(groups[row]): int(row) for row in found[::-1]}
    last = {int(groups[row]): int(row) for row in found}
    numbers_of = zip(found.tolist(), groups[found].tolist(), strict=True)
    twins = {row: last[number] if first[number] == row else first[number] for row, number in numbers_of}
    yield twins_found("conflicting_label", examined, twins, "is the same as {}, but has another label")
