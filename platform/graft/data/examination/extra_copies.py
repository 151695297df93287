"""Which samples of a group of copies are one too many."""

from collections.abc import Iterator

import numpy as np

from graft.data.examination.copies import ALONE
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found


def extra_copies(kind: str, examined: Examined, groups: np.ndarray, reason: str) -> Iterator[Found]:
    """Every sample of a group but the first of each split.

    Args:
        kind: of the finding.
        examined: N samples.
        groups: int64 [N].
        reason: with a place for the name of the first ("is a copy of {}").
    """
    firsts: dict[tuple[int, int], int] = {}
    reasons: dict[int, str] = {}
    for row in np.flatnonzero(groups != ALONE).tolist():
        first = firsts.setdefault((int(groups[row]), int(examined.splits[row])), row)
        if first != row:
            reasons[row] = reason.format(examined.ids[first])
    if reasons:
        rows = np.array(sorted(reasons), dtype=np.int64)
        yield Found(kind, rows, detail=f"{examined.ids[int(rows[0])]} {reasons[int(rows[0])]}", reasons=reasons)
