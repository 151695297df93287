"""Pairs of hashes that differ in few bits."""

import numpy as np

ALL_PAIRS = 100_000
"""Up to so many hashes every pair is compared, in some 10 s; beyond, those that share a quarter of their bits."""
_AT_ONCE = 64, 8192
_BANDS = 4
_BAND_BITS = 16
_LARGEST_BAND = 2_000


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """All pairs that differ in at most `distance` bits; of more than 100,000 hashes those that share 16 of 64 bits.

    Sharing one of four quarters is certain up to a distance of 3, and usual up to 8: bits that change lie together.

    Args:
        hashes: uint64 [N].
        distance: the most bits.

    Returns:
        int64 [P, 2], rows with the smaller first, in order.
    """
    return _all_pairs(hashes, distance) if len(hashes) <= ALL_PAIRS else _banded_pairs(hashes, distance)


def _all_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    found = [np.empty((0, 2), dtype=np.int64)]
    rows_at_once, others_at_once = _AT_ONCE
    for start in range(0, len(hashes), rows_at_once):
        rows = hashes[start : start + rows_at_once]
        for other in range(start, len(hashes), others_at_once):
            near = np.bitwise_count(rows[:, None] ^ hashes[None, other : other + others_at_once]) <= distance
            if near.any():
                first, second = (places + begin for places, begin in zip(np.nonzero(near), (start, other), strict=True))
                later = second > first
                found.append(np.column_stack([first[later], second[later]]))
    pairs = np.concatenate(found)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]


def _banded_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in range(_BANDS):
        keys = (hashes >> np.uint64(band * _BAND_BITS)) & np.uint64((1 << _BAND_BITS) - 1)
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for rows in np.split(order, edges):
            if 1 < len(rows) <= _LARGEST_BAND:
                rows = np.sort(rows)
                found.append(rows[_all_pairs(hashes[rows], distance)])
    return np.unique(np.concatenate(found), axis=0)
