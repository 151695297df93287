"""Duplicates on one side: a sample that was trained on must not be tested on, in another size or another spelling.

Pure: who has found the duplicates, and how near is near, is not asked here.
"""

from dataclasses import dataclass

import numpy as np

from graft.data.split import Split

KEPT_SHARE = 1 / 3
"""A split keeps at least this share of its rows, whatever is like whatever."""


@dataclass(frozen=True)
class Together:
    """Splits after duplicates were brought together.

    Attributes:
        splits: uint8 [N].
        moved: int64, ascending: rows whose split is another now.
        leaks: int64, ascending: groups that still lie in several splits, because their rows may not be moved, or too
            little of a split would be left.
    """

    splits: np.ndarray
    moved: np.ndarray
    leaks: np.ndarray


def keep_together(
    splits: np.ndarray,
    duplicates: np.ndarray,
    movable: np.ndarray,
    to_training: bool,
    kinds: np.ndarray | None = None,
) -> Together:
    """Bring every group of duplicates to one side, as far as its rows may be moved.

    All follow the first of them that may be moved: it was drawn without a look at the others, so no split grows or
    shrinks but by chance. A row that may not be moved, because the source has said its split or another rule has drawn
    it (`data.split_by: group` or `time`), stays. So does a group whose move would leave a split less than `KEPT_SHARE`
    of its rows, or without any row of a kind that it had: where all samples are alike, likeness says nothing.

    Args:
        splits: uint8 [N], codes of `Split`.
        duplicates: int64 [N], rows with the same number are duplicates of each other; below 0 for a row without any.
        movable: bool [N].
        to_training: a group with a row in training goes there as a whole, wherever that row stands. So no row that was
            trained on moves to the test when others are appended, which is what `data.split_by: hash` promises.
        kinds: int64 [N], of which kind each row is, or uint8 [N, L], which of L kinds; None if there are none.

    Raises:
        ValueError: the arrays are not of one length.
    """
    if not len(splits) == len(duplicates) == len(movable):
        lengths = f"{len(splits)}, {len(duplicates)} and {len(movable)}"
        raise ValueError(f"splits, duplicates and movable have {lengths} rows, but must have the same")
    joined = splits.copy()
    rows = np.flatnonzero((duplicates >= 0) & movable)
    if to_training:
        rows = rows[np.argsort(splits[rows] != Split.TRAIN, kind="stable")]
    if len(rows):
        _, first, places = np.unique(duplicates[rows], return_index=True, return_inverse=True)
        joined[rows] = splits[rows[first]][places.reshape(-1)]
    while len(groups := np.unique(duplicates[(joined != splits) & _is_short(splits, joined, kinds)])):
        back = np.isin(duplicates, groups)
        joined[back] = splits[back]
    return Together(joined, np.flatnonzero(joined != splits), _across(joined, duplicates))


def _is_short(splits: np.ndarray, joined: np.ndarray, kinds: np.ndarray | None) -> np.ndarray:
    """bool [N], rows of a split that has lost too much, or all rows of a kind that they are of."""
    before, after = (np.bincount(codes, minlength=256) for codes in (splits, joined))
    short: np.ndarray = (after < before * KEPT_SHARE)[splits]
    for kind in [] if kinds is None else kinds.T if kinds.ndim == 2 else [kinds]:
        present = kind > 0 if kinds is not None and kinds.ndim == 2 else np.ones(len(splits), dtype=bool)
        cells = [kind.astype(np.int64) * 256 + codes for codes in (splits, joined)]
        short |= present & ~np.isin(cells[0], cells[1][present])
    return short


def _across(splits: np.ndarray, duplicates: np.ndarray) -> np.ndarray:
    """Groups with rows in several splits."""
    inside = duplicates >= 0
    pairs = np.unique(np.column_stack([duplicates[inside], splits[inside].astype(np.int64)]), axis=0)
    groups, counts = np.unique(pairs[:, 0], return_counts=True)
    across: np.ndarray = groups[counts > 1].astype(np.int64)
    return across
