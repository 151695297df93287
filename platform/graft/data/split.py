"""Which row is for what: stratified, seeded, and the same again for the same listing.

Splits are drawn over the listing, before anything is decoded: a file found unreadable later does not move the others.
What the strata are, and what a message calls one of them (`noun`), is the task's choice.
"""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from graft.core.seeds import derive_seed
from graft.data.splits.names import SplitName
from graft.data.splits.sizes import (
    SplitSettings,
    check_enough,
    check_shares,
    drawn_sizes,
    limited,
    shares_left_open,
)

__all__ = [
    "LEFT_OUT",
    "UNASSIGNED",
    "Split",
    "SplitSettings",
    "check_shares",
    "code_of",
    "plan_splits",
    "require_samples",
    "shares_to_draw",
    "stratified_limit",
    "stratified_split",
]


class Split(IntEnum):
    """What a row is for; the number is its code in a dataset."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


UNASSIGNED = 255
"""The source does not say which split a row is for."""

LEFT_OUT = 254
"""`data.limit` leaves the row out."""


def code_of(split: SplitName | None) -> int:
    """How a split that the source names is coded; its training rows may still be held out for validation."""
    return UNASSIGNED if split in (None, "train") else int(Split[split.upper()])


def stratified_split(
    strata: np.ndarray,
    validation: float,
    test: float,
    seed: int,
    names: Sequence[str] | None = None,
    noun: str = "class",
) -> np.ndarray:
    """Draw validation and test rows from every stratum in proportion.

    Each stratum has its own random stream, so a new one leaves the split of the others as it is.

    Args:
        strata: int [N].
        validation: share of the rows, 0 for none.
        test: share of the rows, 0 for none.
        seed: root seed.
        names: of the strata, for messages; the codes in `strata` are their indices.
        noun: what a message calls a stratum.

    Returns:
        uint8 [N], codes of `Split`; every stratum has at least one row in each split whose share is not 0.

    Raises:
        DataError: a stratum has fewer rows than splits, or the shares leave nothing to train on.
    """
    check_shares(validation, test)
    shares = {Split.TEST: test, Split.VALIDATION: validation}
    drawn = [(split, share) for split, share in shares.items() if share > 0]
    require_samples(strata, 1 + len(drawn), names, noun)
    codes = np.full(len(strata), Split.TRAIN, dtype=np.uint8)
    present, counts = _counted(strata)
    for stratum, sizes in zip(present, drawn_sizes(counts.tolist(), [share for _, share in drawn]), strict=True):
        order = np.flatnonzero(strata == stratum)
        np.random.default_rng(derive_seed(seed, "split", int(stratum))).shuffle(order)
        start = 0
        for (split, _), size in zip(drawn, sizes, strict=True):
            codes[order[start : start + size]] = split
            start += size
    return codes


def stratified_limit(
    strata: np.ndarray,
    limit: int,
    seed: int,
    per_stratum: int = 1,
    names: Sequence[str] | None = None,
    noun: str = "class",
) -> np.ndarray:
    """Choose `limit` rows, every stratum in proportion and with at least `per_stratum` rows.

    Args:
        strata: int [N].
        limit: how many rows to keep; all are kept when there are no more.
        seed: root seed. A smaller limit chooses a part of what a larger one does, but for rounding.
        per_stratum: the fewest rows of a stratum.
        names: of the strata, for messages.
        noun: what a message calls a stratum.

    Returns:
        int64 indices of the chosen rows, ascending.

    Raises:
        DataError: `limit` is below `per_stratum` times the number of strata, or a stratum has fewer rows than that.
    """
    if limit >= len(strata):
        return np.arange(len(strata))
    present, counts = _counted(strata)
    require_samples(strata, per_stratum, names, noun)
    kept = limited(counts.tolist(), limit, per_stratum, noun)
    chosen = []
    for stratum, count in zip(present, kept, strict=True):
        rows = np.flatnonzero(strata == stratum)
        chosen.append(np.random.default_rng(derive_seed(seed, "limit", int(stratum))).permutation(rows)[:count])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def plan_splits(
    given: np.ndarray, strata: np.ndarray, settings: SplitSettings, names: Sequence[str], noun: str = "class"
) -> np.ndarray:
    """The split of every listed row, or `LEFT_OUT` for those beyond `data.limit`.

    A validation or test set that the source brings is kept as it is; the others are drawn. `data.limit` bounds training
    and validation together and never touches the test set, so scores at different limits can be compared.

    Args:
        given: uint8 [N], `Split.VALIDATION` or `Split.TEST` where the source says so, else `UNASSIGNED`.
        strata: int [N].
        settings: shares, limit and seed.
        names: of the strata, for messages.
        noun: what a message calls a stratum.

    Raises:
        DataError: a stratum has too few rows, or there is no test set.
    """
    test, validation = shares_to_draw(given, settings)
    codes = given.copy()
    free = given == UNASSIGNED
    require_samples(_some(strata, free), 1 + (test > 0) + (validation > 0), names, noun)
    if test > 0:
        drawn = stratified_split(_some(strata, free), 0.0, test, settings.seed, names, noun)
        codes[free] = np.where(drawn == Split.TEST, np.uint8(Split.TEST), np.uint8(UNASSIGNED))
        validation /= 1 - test
    brings_validation = bool(np.any(given == Split.VALIDATION))
    if settings.limit is not None and settings.limit < np.count_nonzero(codes != Split.TEST):
        pool = np.flatnonzero(codes != Split.TEST)
        # A validation set that the source brings shrinks in proportion, hence its own strata behind those of training.
        shifted = strata[pool] + np.where(codes[pool] == Split.VALIDATION, len(names), 0)
        fewest = 1 if brings_validation else 2
        kept = stratified_limit(shifted, settings.limit, settings.seed, fewest, [*names, *names], noun)
        codes[np.setdiff1d(pool, pool[kept])] = LEFT_OUT
    free = codes == UNASSIGNED
    codes[free] = stratified_split(_some(strata, free), validation, 0.0, settings.seed, names, noun)
    return codes


def shares_to_draw(given: np.ndarray, settings: SplitSettings) -> tuple[float, float]:
    """Shares of test and validation that are to be drawn: 0 for a set that the source brings.

    Raises:
        DataError: there is no test set.
    """
    return shares_left_open(bool(np.any(given == Split.TEST)), bool(np.any(given == Split.VALIDATION)), settings)


def require_samples(strata: np.ndarray, needed: int, names: Sequence[str] | None = None, noun: str = "class") -> None:
    """Check that every stratum has `needed` rows.

    Raises:
        DataError: names those that have fewer.
    """
    present, counts = _counted(strata)
    called = [names[stratum] if names is not None else str(stratum) for stratum in present.tolist()]
    check_enough(zip(called, counts.tolist(), strict=True), needed, noun)


def _some(strata: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Those of some rows; themselves where they are of all."""
    return strata if which.all() else strata[which]


def _counted(strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which strata there are, ascending, and rows of each; without the sorted copy that `np.unique` makes."""
    counts = np.bincount(strata)
    present = np.flatnonzero(counts)
    return present, counts[present]
