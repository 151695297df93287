"""Which row is for what: stratified, seeded, and the same again for the same listing.

Splits are drawn over the listing, before anything is decoded: a file found unreadable later does not move the others.
What the strata are, and what a message calls one of them (`noun`), is the task's choice.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed


class Split(IntEnum):
    """What a row is for; the number is its code in a dataset."""

    TRAIN = 0
    VALIDATION = 1
    TEST = 2


UNASSIGNED = 255
"""The source does not say which split a row is for."""

LEFT_OUT = 254
"""`data.limit` leaves the row out."""


class SplitSettings(Protocol):
    """The part of a data spec that decides about splits."""

    @property
    def validation(self) -> float: ...
    @property
    def test(self) -> float: ...
    @property
    def limit(self) -> int | None: ...
    @property
    def seed(self) -> int: ...


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
    carry = {split: 0.0 for split, _ in drawn}
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        order = np.random.default_rng(derive_seed(seed, "split", int(stratum))).permutation(rows)
        start = 0
        for position, (split, share) in enumerate(drawn):
            wanted = share * len(rows) + carry[split]
            keep_back = len(drawn) - position
            count = min(max(1, round(wanted)), len(rows) - start - keep_back)
            # What rounding took from one stratum is given to the next, so that the whole keeps its shares.
            carry[split] = min(max(wanted - count, -0.5), 0.5)
            codes[order[start : start + count]] = split
            start += count
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
    present, counts = np.unique(strata, return_counts=True)
    if limit < per_stratum * len(present):
        raise DataError(
            f"data.limit is {limit}, but {len(present)} {_plural(noun)} need at least "
            f"{per_stratum * len(present)}; raise it"
        )
    require_samples(strata, per_stratum, names, noun)
    chosen = []
    for stratum, count in zip(present, _proportional(counts, limit, per_stratum), strict=True):
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
    free = np.flatnonzero(given == UNASSIGNED)
    require_samples(strata[free], 1 + (test > 0) + (validation > 0), names, noun)
    if test > 0:
        drawn = stratified_split(strata[free], 0.0, test, settings.seed, names, noun)
        codes[free[drawn == Split.TEST]] = Split.TEST
        validation /= 1 - test
    brings_validation = bool(np.any(given == Split.VALIDATION))
    pool = np.flatnonzero(codes != Split.TEST)
    if settings.limit is not None and settings.limit < len(pool):
        # A validation set that the source brings shrinks in proportion, hence its own strata behind those of training.
        shifted = strata[pool] + np.where(codes[pool] == Split.VALIDATION, len(names), 0)
        fewest = 1 if brings_validation else 2
        kept = stratified_limit(shifted, settings.limit, settings.seed, fewest, [*names, *names], noun)
        codes[np.setdiff1d(pool, pool[kept])] = LEFT_OUT
    free = np.flatnonzero(codes == UNASSIGNED)
    codes[free] = stratified_split(strata[free], validation, 0.0, settings.seed, names, noun)
    return codes


def shares_to_draw(given: np.ndarray, settings: SplitSettings) -> tuple[float, float]:
    """Shares of test and validation that are to be drawn: 0 for a set that the source brings.

    Raises:
        DataError: there is no test set.
    """
    brings_test, brings_validation = bool(np.any(given == Split.TEST)), bool(np.any(given == Split.VALIDATION))
    if not brings_test and settings.test == 0:
        raise DataError(
            "data.test is 0, but the data brings no test set of its own; set data.test to a share such as 0.2"
        )
    return 0.0 if brings_test else settings.test, 0.0 if brings_validation else settings.validation


def check_shares(validation: float, test: float) -> None:
    """Check that something is left to train on.

    Raises:
        DataError: nothing is.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise DataError(
            f"validation {validation:g} + test {test:g} is held out, but some samples must be left to train on; "
            "lower data.validation or data.test"
        )


def require_samples(strata: np.ndarray, needed: int, names: Sequence[str] | None = None, noun: str = "class") -> None:
    """Check that every stratum has `needed` rows.

    Raises:
        DataError: names those that have fewer.
    """
    present, counts = np.unique(strata, return_counts=True)
    short = [(int(stratum), int(count)) for stratum, count in zip(present, counts, strict=True) if count < needed]
    if not short:
        return
    stratum, count = short[0]
    more = f" (and {len(short) - 1} more {_plural(noun)})" if len(short) > 1 else ""
    name = names[stratum] if names is not None else str(stratum)
    samples = "sample" if count == 1 else "samples"
    raise DataError(
        f"{noun} `{name}` has {count} {samples}, but needs at least {needed}, one for each split{more}; "
        f"add some or remove the {noun}"
    )


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def _proportional(counts: np.ndarray, total: int, minimum: int) -> list[int]:
    """Whole numbers that add up to `total`, in proportion to `counts`, each from `minimum` to its count."""
    exact = counts * (total / counts.sum())
    taken = np.clip(np.floor(exact).astype(np.int64), minimum, counts)
    while taken.sum() != total:
        if taken.sum() < total:
            taken[np.argmax(np.where(taken < counts, exact - taken, -np.inf))] += 1
        else:
            taken[np.argmin(np.where(taken > minimum, exact - taken, np.inf))] -= 1
    return [int(count) for count in taken]
