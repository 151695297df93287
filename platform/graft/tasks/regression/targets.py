"""From what a source says to numbers: a value of each target for each sample."""

import math
from collections.abc import Sequence

import numpy as np

from graft.core.errors import DataError
from graft.data.split import UNASSIGNED, Split, SplitSettings, check_shares, plan_splits, shares_to_draw
from graft.data.tables.column_facts import is_date
from graft.data.tables.written_numbers import DecimalMark
from graft.data.targets import RawTargets, Targets
from graft.tasks.reading import LabelColumn, has_fractions, label_columns, rows_named

_MOST_BINS = 10
_ROWS_OF_A_BIN = 5


def read_numbers(
    raw: RawTargets, source: str, decimal: DecimalMark | None = None, known: Sequence[str] = ()
) -> Targets:
    """Values float64 [N, T] and names of the targets.

    Args:
        raw: what the source says.
        source: where it comes from, for people.
        decimal: the mark before a fraction; None where the columns tell it.
        known: targets of a model, if it is to be scored: then a target may be the same everywhere.

    Raises:
        DataError: words, lists, a missing or infinite number, or a target that is the same everywhere.
    """
    columns = label_columns(raw, source)
    values = np.stack([_numbers(column, decimal) for column in columns], axis=1)
    if not known:
        for column, numbers in zip(columns, values.T, strict=True):
            _require_different(column, numbers)
    names = [column.name or ("value" if len(columns) == 1 else f"value {k + 1}") for k, column in enumerate(columns)]
    return Targets(values, tuple(names))


def split_by_quantiles(given: np.ndarray, targets: Targets, settings: SplitSettings) -> np.ndarray:
    """uint8 [N]: splits in which small and large values are as frequent as in the whole.

    The strata are bins of the target with as many rows each; of several targets, bins of the sum of their standard
    scores. Small data has fewer bins, so that each has a row for every split.

    Raises:
        DataError: there are too few rows, or there is no test set.
    """
    free = np.flatnonzero(given == UNASSIGNED)
    test, validation = shares_to_draw(given, settings)
    check_shares(validation, test)
    needed = 1 + (test > 0) + (validation > 0)
    if len(free) < needed:
        raise DataError(
            f"there are {len(free)} samples to draw splits from, but at least {needed} are needed, one for each split; "
            "add some"
        )
    most = _MOST_BINS if settings.limit is None else max(1, min(_MOST_BINS, settings.limit // 4))
    scores = _scores(targets.values)
    # So many that a large test set leaves some of each bin for the others.
    rows_of_a_bin = max(_ROWS_OF_A_BIN, math.ceil(3 / (1 - test)))
    strata = _bins(scores, free, max(1, min(most, len(free) // rows_of_a_bin)))
    ranges = [f"{scores[strata == k].min():.4g} to {scores[strata == k].max():.4g}" for k in range(strata.max() + 1)]
    return plan_splits(given, strata, settings, ranges, "range")


def quantile_strata(targets: Targets) -> np.ndarray:
    """int64 [N]: bins of the target with as many rows each; small data has fewer of them."""
    rows = np.arange(len(targets))
    return _bins(_scores(targets.values), rows, max(1, min(_MOST_BINS, len(targets) // _ROWS_OF_A_BIN)))


def check_numbers_left(targets: Targets, splits: np.ndarray, readable: np.ndarray, ids: Sequence[str]) -> None:
    """Check that no split has lost all its samples, and that training still has different values.

    Raises:
        DataError: names the split and one of the samples.
    """
    for split in Split:
        lost = np.flatnonzero((splits == split) & ~readable)
        if len(lost) and not np.any((splits == split) & readable):
            others = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise DataError(
                f"no readable sample is left for {split.name.lower()} ({ids[lost[0]]}{others} cannot be read); repair "
                "or remove what is unreadable"
            )
    training = targets.values[(splits == Split.TRAIN) & readable]
    require_spread(training, targets.names, "the readable training samples")


def require_spread(values: np.ndarray, names: Sequence[str], where: str) -> None:
    """Check that no target is the same everywhere.

    Raises:
        DataError: names it.
    """
    for name, column in zip(names, values.T, strict=True):
        if len(column) and np.all(column == column[0]):
            raise DataError(
                f"target `{name}` is {column[0]:g} in all of {where} ({len(column)}), but must differ to be learned; "
                "name another column"
            )


def _numbers(column: LabelColumn, decimal: DecimalMark | None) -> np.ndarray:
    column.require_one_form()
    numbers = _read(column, decimal)
    if column.form == "empty":  # its rows are missing, or there is none
        column.require_complete()
    if numbers is None and all(isinstance(cell, str) and is_date(cell) for cell in column.different):
        raise DataError(
            f"{column.where} holds dates or times ({column.examples()}), but regression needs numbers; write them as "
            "such, as days since one of them, or hours"
        )
    if numbers is None:
        other = "multilabel" if column.form == "lists" else "classification"
        raise DataError(
            f"{column.where} holds {column.form} ({column.examples()}), but regression needs numbers; set "
            f"task: {other}, or name a column of numbers"
        )
    missing = np.flatnonzero(np.isnan(numbers))
    if len(missing):
        raise DataError(
            f"{len(missing)} of {len(column)} numbers are missing in {column.where} ({rows_named(missing)}), but every "
            "sample needs one; fill them in or remove the rows"
        )
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise DataError(
            f"{len(infinite)} of {len(column)} numbers are infinite in {column.where} ({rows_named(infinite)}), but "
            "must be finite; mend them or remove the rows"
        )
    return numbers


def _require_different(column: LabelColumn, numbers: np.ndarray) -> None:
    if np.all(numbers == numbers[0]):
        raise DataError(
            f"{column.where} is {numbers[0]:g} in all {len(numbers)} rows, but must differ to be learned; name another "
            "column"
        )


def _read(column: LabelColumn, decimal: DecimalMark | None) -> np.ndarray | None:
    """The numbers of a column, in whatever way they are written; None if they are none.

    Raises:
        DataError: the way they are written is not clear, or not the one that the user has named.
    """
    numbers = column.numbers
    if numbers is not None:
        if decimal == "," and has_fractions(numbers):
            raise DataError(
                f"{column.where} holds plain numbers with a decimal point ({column.examples()}), but the task says "
                '`decimal: ","`; leave that out, or write thousands without a point'
            )
        return numbers
    written = column.written(decimal)
    if written is None:
        return None
    if written.question:
        raise DataError(f"{column.where} {written.question}")
    return column.taken_from(written)


def _scores(values: np.ndarray) -> np.ndarray:
    """What the samples are ordered by: the target, or the sum of the standard scores of several."""
    if values.shape[1] == 1:
        return np.asarray(values[:, 0])
    spread = values.std(axis=0)
    standard = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.asarray(standard.sum(axis=1))


def _bins(scores: np.ndarray, free: np.ndarray, bins: int) -> np.ndarray:
    """Bin of each row: equally many of the free rows in each, the others by the same edges."""
    order = free[np.argsort(scores[free], kind="stable")]
    place = np.arange(len(order)) * bins // len(order)
    edges = scores[order[np.searchsorted(place, np.arange(1, bins))]]
    strata: np.ndarray = np.searchsorted(edges, scores, side="right")
    strata[order] = place  # equal values may lie on both sides of an edge: rows, not values, are shared out evenly
    return strata.astype(np.int64)
