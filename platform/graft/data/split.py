"""Which row is for what: stratified, seeded, and the same again for the same listing.

Splits are drawn over the listing, before anything is decoded: a file found unreadable later does not move the others.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from graft.core.errors import DataError
from graft.core.seeds import derive_seed
from graft.data.dataset import Split

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
    labels: np.ndarray, validation: float, test: float, seed: int, classes: Sequence[str] | None = None
) -> np.ndarray:
    """Draw validation and test rows from every class in proportion.

    Each class has its own random stream, so a new class leaves the split of the others as it is.

    Args:
        labels: int [N].
        validation: share of the rows, 0 for none.
        test: share of the rows, 0 for none.
        seed: root seed.
        classes: names for messages; labels are their indices.

    Returns:
        uint8 [N], codes of `Split`; every class has at least one row in each split whose share is not 0.

    Raises:
        DataError: a class has fewer rows than splits, or the shares leave nothing to train on.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise DataError(
            f"validation {validation:g} + test {test:g} is held out, but some samples must be left to train on; "
            "lower data.validation or data.test"
        )
    shares = {Split.TEST: test, Split.VALIDATION: validation}
    drawn = [(split, share) for split, share in shares.items() if share > 0]
    require_samples(labels, 1 + len(drawn), classes)
    codes = np.full(len(labels), Split.TRAIN, dtype=np.uint8)
    carry = {split: 0.0 for split, _ in drawn}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        order = np.random.default_rng(derive_seed(seed, "split", int(label))).permutation(rows)
        start = 0
        for position, (split, share) in enumerate(drawn):
            wanted = share * len(rows) + carry[split]
            keep_back = len(drawn) - position
            count = min(max(1, round(wanted)), len(rows) - start - keep_back)
            # What rounding took from one class is given to the next, so that the whole keeps its shares.
            carry[split] = min(max(wanted - count, -0.5), 0.5)
            codes[order[start : start + count]] = split
            start += count
    return codes


def stratified_limit(
    labels: np.ndarray, limit: int, seed: int, per_class: int = 1, classes: Sequence[str] | None = None
) -> np.ndarray:
    """Choose `limit` rows, every class in proportion and with at least `per_class` rows.

    Args:
        labels: int [N].
        limit: how many rows to keep; all are kept when there are no more.
        seed: root seed. A smaller limit chooses a part of what a larger one does, but for rounding.
        per_class: the fewest rows of a class.
        classes: names for messages.

    Returns:
        int64 indices of the chosen rows, ascending.

    Raises:
        DataError: `limit` is below `per_class` times the number of classes, or a class has fewer rows than that.
    """
    if limit >= len(labels):
        return np.arange(len(labels))
    present, counts = np.unique(labels, return_counts=True)
    if limit < per_class * len(present):
        raise DataError(
            f"data.limit is {limit}, but {len(present)} classes need at least {per_class * len(present)}; raise it"
        )
    require_samples(labels, per_class, classes)
    chosen = []
    for label, count in zip(present, _proportional(counts, limit, per_class), strict=True):
        rows = np.flatnonzero(labels == label)
        chosen.append(np.random.default_rng(derive_seed(seed, "limit", int(label))).permutation(rows)[:count])
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def plan_splits(given: np.ndarray, labels: np.ndarray, settings: SplitSettings, classes: Sequence[str]) -> np.ndarray:
    """The split of every listed row, or `LEFT_OUT` for those beyond `data.limit`.

    A validation or test set that the source brings is kept as it is; the others are drawn. `data.limit` bounds training
    and validation together and never touches the test set, so scores at different limits can be compared.

    Args:
        given: uint8 [N], `Split.VALIDATION` or `Split.TEST` where the source says so, else `UNASSIGNED`.
        labels: int [N].
        settings: shares, limit and seed.
        classes: names for messages.

    Raises:
        DataError: a class has too few rows, or there is no test set.
    """
    brings_test, brings_validation = bool(np.any(given == Split.TEST)), bool(np.any(given == Split.VALIDATION))
    if not brings_test and settings.test == 0:
        raise DataError(
            "data.test is 0, but the data brings no test set of its own; set data.test to a share such as 0.2"
        )
    test = 0.0 if brings_test else settings.test
    validation = 0.0 if brings_validation else settings.validation
    codes = given.copy()
    free = np.flatnonzero(given == UNASSIGNED)
    require_samples(labels[free], 1 + (test > 0) + (validation > 0), classes)
    if test > 0:
        drawn = stratified_split(labels[free], 0.0, test, settings.seed, classes)
        codes[free[drawn == Split.TEST]] = Split.TEST
        validation /= 1 - test
    _limit(codes, labels, settings, 1 if brings_validation else 2, classes)
    free = np.flatnonzero(codes == UNASSIGNED)
    codes[free] = stratified_split(labels[free], validation, 0.0, settings.seed, classes)
    return codes


def require_samples(labels: np.ndarray, needed: int, classes: Sequence[str] | None = None) -> None:
    """Check that every class has `needed` rows.

    Raises:
        DataError: names the classes that have fewer.
    """
    present, counts = np.unique(labels, return_counts=True)
    short = [(int(label), int(count)) for label, count in zip(present, counts, strict=True) if count < needed]
    if not short:
        return
    label, count = short[0]
    more = f" (and {len(short) - 1} more classes)" if len(short) > 1 else ""
    name = classes[label] if classes is not None else str(label)
    samples = "sample" if count == 1 else "samples"
    raise DataError(
        f"class `{name}` has {count} {samples}, but needs at least {needed}, one for each split{more}; "
        "add some or remove the class"
    )


def _limit(
    codes: np.ndarray, labels: np.ndarray, settings: SplitSettings, per_class: int, classes: Sequence[str]
) -> None:
    pool = np.flatnonzero(codes != Split.TEST)
    if settings.limit is None or settings.limit >= len(pool):
        return
    # A validation set that the source brings shrinks in proportion, hence its own strata behind those of training.
    strata = labels[pool] + np.where(codes[pool] == Split.VALIDATION, len(classes), 0)
    names = [*classes, *classes]
    kept = stratified_limit(strata, settings.limit, settings.seed, per_class, names)
    codes[np.setdiff1d(pool, pool[kept])] = LEFT_OUT


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
