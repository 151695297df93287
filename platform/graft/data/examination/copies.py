"""Groups of copies: who is a copy of whom, and which lie on both sides of a split."""

import numpy as np

_ROWS_AT_ONCE = 8192
ALONE = -1
"""Number of the group of a sample that has no copy."""


def copy_groups(keys: np.ndarray) -> np.ndarray:
    """Number the groups of equal values.

    Args:
        keys: [N], of any type that can be sorted.

    Returns:
        int64 [N], the number of each one's group; `ALONE` where no other is equal.
    """
    order, firsts = equal_runs(keys)
    counts = np.diff(firsts, append=len(order))
    groups = np.empty(len(order), dtype=np.int64)
    groups[order] = np.repeat(np.where(counts > 1, np.arange(len(counts)), ALONE), counts)
    return groups


def equal_runs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows int64 [N] sorted by their values, and the places among them at which another value begins.

    Values of 64 bytes are most of what an ingest holds: unlike by `np.unique`, no sorted copy of them is made.
    """
    order = np.argsort(values, kind="stable")
    begins = np.ones(len(order), dtype=bool)
    for start in range(1, len(order), _ROWS_AT_ONCE):
        part = values[order[start - 1 : start + _ROWS_AT_ONCE]]
        begins[start : start + _ROWS_AT_ONCE] = part[1:] != part[:-1]
    return order, np.flatnonzero(begins)


def joined_groups(count: int, pairs: np.ndarray) -> np.ndarray:
    """Number the groups of samples that are linked by pairs: who is near one of a group belongs to it.

    Args:
        count: N, how many samples there are.
        pairs: int64 [P, 2], rows that belong together.

    Returns:
        int64 [N], the number of each one's group; `ALONE` where no other belongs to it.
    """
    if not len(pairs):
        return np.full(count, ALONE, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), dtype=np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    _, codes = connected_components(links, directed=False)
    return copy_groups(codes)


def merged(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups in which belongs together what belongs together in one of two.

    Args:
        first: int64 [N], groups.
        second: int64 [N], others.
    """
    return joined_groups(len(first), np.concatenate([_links(first), _links(second)]))


def across_splits(groups: np.ndarray, splits: np.ndarray) -> np.ndarray:
    """bool [N], whether a sample's group has members in more than one split."""
    inside = np.flatnonzero(groups != ALONE)
    if not len(inside):
        return np.zeros(len(groups), dtype=bool)
    pairs = np.unique(np.column_stack([groups[inside], splits[inside].astype(np.int64)]), axis=0)
    numbers, counts = np.unique(pairs[:, 0], return_counts=True)
    found: np.ndarray = np.isin(groups, numbers[counts > 1])
    return found


def _links(groups: np.ndarray) -> np.ndarray:
    """int64 [P, 2], each member with the first of its group."""
    rows = np.flatnonzero(groups != ALONE)
    _, first, places = np.unique(groups[rows], return_index=True, return_inverse=True)
    return np.column_stack([rows[first][places], rows]) if len(rows) else np.empty((0, 2), dtype=np.int64)
