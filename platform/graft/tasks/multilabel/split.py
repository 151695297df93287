"""Splits in which every label has its share: iterative stratification.

Strata of whole label sets would not do: in real data most sets occur once, and what joins them into one stratum leaves
the shares of rare labels to chance. Iterative stratification (Sechidis, Tsoumakas, Vlahavas, ECML 2011) hands out the
samples of the rarest label first, each to the part that lacks most of it, and so keeps every label's share to a sample.
"""

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed
from graft.data.split import LEFT_OUT, UNASSIGNED, Split, SplitSettings, check_shares, shares_to_draw


def split_by_labels(given: np.ndarray, labels: np.ndarray, settings: SplitSettings) -> np.ndarray:
    """uint8 [N]: the split of every row, or `LEFT_OUT` beyond `data.limit`; as `graft.data.split.plan_splits` has it.

    Args:
        given: uint8 [N], what the source says.
        labels: uint8 [N, L].
        settings: shares, limit and seed.

    Raises:
        DataError: there are too few rows, or there is no test set.
    """
    test, validation = shares_to_draw(given, settings)
    check_shares(validation, test)
    codes = given.copy()
    free = np.flatnonzero(given == UNASSIGNED)
    needed = 1 + (test > 0) + (validation > 0)
    _require(len(free), needed)
    if test > 0:
        codes[_drawn(labels, free, test, settings.seed, "test", keep_back=needed - 1)] = Split.TEST
    _limit(codes, labels, settings)
    free = np.flatnonzero(codes == UNASSIGNED)
    codes[free] = Split.TRAIN
    if validation > 0:
        _require(len(free), 2)
        share = validation / (1 - test)
        codes[_drawn(labels, free, share, settings.seed, "validation", keep_back=1)] = Split.VALIDATION
    return codes


def iterative_stratification(labels: np.ndarray, sizes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Deal rows out to parts so that each part has its share of every label.

    Args:
        labels: uint8 [N, L].
        sizes: int [P], how many rows each part takes; they add up to N.
        rng: decides between equals.

    Returns:
        int64 [N], the part of each row.
    """
    parts = np.full(len(labels), -1, dtype=np.int64)
    room = sizes.astype(np.int64)
    lacking = np.outer(sizes / max(1, sizes.sum()), labels.sum(axis=0))  # [P, L], samples of each label it still lacks
    remaining = labels.sum(axis=0, dtype=np.int64)
    shuffled = rng.permutation(len(labels))
    while remaining.any():
        label = int(np.argmin(np.where(remaining > 0, remaining, np.iinfo(np.int64).max)))
        for row in shuffled[(labels[shuffled, label] == 1) & (parts[shuffled] < 0)]:
            part = _neediest(lacking[:, label], room, rng)
            parts[row] = part
            room[part] -= 1
            lacking[part] -= labels[row]
            remaining -= labels[row]
    rest = shuffled[parts[shuffled] < 0]  # without any label
    parts[rest] = rng.permutation(np.repeat(np.arange(len(room)), room))
    return parts


def _neediest(lacking: np.ndarray, room: np.ndarray, rng: np.random.Generator) -> int:
    """The part that lacks most of a label, of equals the one with most room, of equals any; never a full one."""
    wanted = np.where(room > 0, lacking, -np.inf)
    best = np.flatnonzero(wanted >= wanted.max() - 1e-9)
    best = best[room[best] == room[best].max()]
    return int(best[0] if len(best) == 1 else rng.choice(best))


def _drawn(labels: np.ndarray, rows: np.ndarray, share: float, seed: int, what: str, keep_back: int) -> np.ndarray:
    """A share of the rows, at least one of them, and not the last `keep_back`."""
    count = min(max(1, round(share * len(rows))), len(rows) - keep_back)
    rng = np.random.default_rng(derive_seed(seed, "split", what))
    parts = iterative_stratification(labels[rows], np.array([len(rows) - count, count]), rng)
    chosen: np.ndarray = rows[parts == 1]
    return chosen


def _limit(codes: np.ndarray, labels: np.ndarray, settings: SplitSettings) -> None:
    """Leave out what lies beyond `data.limit`, of training and of a validation set of the source in proportion."""
    pools = [np.flatnonzero(codes == code) for code in (UNASSIGNED, Split.VALIDATION)]
    total = sum(len(pool) for pool in pools)
    if settings.limit is None or settings.limit >= total:
        return
    if settings.limit < 2:
        raise DataError(f"data.limit is {settings.limit}, but training and validation need at least 2; raise it")
    of_training = min(max(1, round(settings.limit * len(pools[0]) / total)), settings.limit - (len(pools[1]) > 0))
    kept_of = {"training": of_training, "validation": settings.limit - of_training}
    for (name, kept), pool in zip(kept_of.items(), pools, strict=True):
        if len(pool):
            rng = np.random.default_rng(derive_seed(settings.seed, "limit", name))
            parts = iterative_stratification(labels[pool], np.array([len(pool) - kept, kept]), rng)
            codes[pool[parts == 0]] = LEFT_OUT


def _require(count: int, needed: int) -> None:
    if count < needed:
        raise DataError(
            f"there are {count} samples to draw splits from, but at least {needed} are needed, one for each split; "
            "add some"
        )
