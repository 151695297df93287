"""Which samples of a group of copies are one too many."""

from collections.abc import Iterator, Mapping

import numpy as np

from graft.data.examination.copies import ALONE
from graft.data.examination.examined import Examined
from graft.data.examination.found import Found


def extra_copies(kind: str, examined: Examined, groups: np.ndarray, reason: str) -> Iterator[Found]:
    """Every sample of a group but one: the first that lies in the last of the splits that the source itself says.

    So a test set that the source brings keeps what it has; where graft draws the splits, the first of all stays.

    Args:
        kind: of the finding.
        examined: N samples.
        groups: int64 [N].
        reason: with a place for the name of the one that stays ("is a copy of {}").
    """
    rows = np.flatnonzero(groups != ALONE)
    said = np.where(examined.movable[rows], 0, examined.splits[rows].astype(np.int64))
    stays: dict[int, int] = {}
    for row in rows[np.argsort(-said, kind="stable")].tolist():
        stays.setdefault(int(groups[row]), row)
    twins = {row: stays[int(groups[row])] for row in rows.tolist() if stays[int(groups[row])] != row}
    if twins:
        yield twins_found(kind, examined, twins, reason)


def extra_near_copies(examined: Examined, groups: np.ndarray) -> Iterator[Found]:
    """Every near copy of a group but one; of members that are copies of each other bit for bit one is told.

    Args:
        examined: N samples.
        groups: int64 [N], of near copies, copies bit for bit included.
    """
    for found in extra_copies("near_duplicate", examined, groups, ""):
        told = {(int(groups[twin]), str(examined.digests[twin])) for twin in found.twins.values()}
        twins: dict[int, int] = {}
        for row, twin in sorted(found.twins.items()):
            content = int(groups[row]), str(examined.digests[row])
            if content not in told:
                told.add(content)
                twins[row] = twin
        yield twins_found(found.kind, examined, twins, "is almost a copy of {}")


def twins_found(kind: str, examined: Examined, twins: Mapping[int, int], reason: str) -> Found:
    """A finding of samples that are like others.

    Args:
        kind: of the finding.
        examined: N samples.
        twins: the row that each row is like.
        reason: with a place for the name of the other.
    """
    rows = np.array(sorted(twins), dtype=np.int64)
    reasons = {row: reason.format(examined.ids[twin]) for row, twin in twins.items()}
    detail = f"{examined.ids[int(rows[0])]} {reasons[int(rows[0])]}" if len(rows) else ""
    return Found(kind, rows, detail=detail, reasons=reasons, twins=twins)
