"""Groups of copies: who is a copy of whom, and which lie on both sides of a split."""

import numpy as np

ALONE = -1
"""Number of the group of a sample that has no copy."""


def copy_groups(keys: np.ndarray) -> np.ndarray:
    """Number the groups of equal values.

    Args:
        keys: [N], of any type that can be sorted.

    Returns:
        int64 [N], the number of each one's group; `ALONE` where no other is equal.
    """
    if not len(keys):
        return np.empty(0, dtype=np.int64)
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.where(counts[inverse] > 1, inverse, ALONE).astype(np.int64)


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
