"""Columns that say something of a sample beside its label: group, time, weight. A bad cell is named by its row."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.data.contents.coded import Coded
from graft.data.tables.labels import NUMBER, Place, label_name
from graft.data.tables.written_numbers import read_written

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTH = re.compile(r"\d{4}-\d{2}")
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Sides:
    """What is known of samples beside their labels, as `graft.data.listing.Listing` has it.

    Attributes:
        groups: object [N], texts or None; None if no column holds them.
        times: float64 or int64 [N].
        weights: float64 [N].
    """

    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    weights: np.ndarray | None = None


def sides_of(table: str, columns: Mapping[str, str], values: Mapping[str, Sequence[Any]]) -> Sides:
    """What the columns of a table say.

    Args:
        table: its name, for messages.
        columns: that are named, by `group`, `time` and `weight`.
        values: of these columns, by name.

    Raises:
        DataError: a cell is none that such a column may have.
    """
    readers = {"group": groups_of, "time": times_of, "weight": weights_of}
    found = {role: readers[role](Place(table, name), values[name]) for role, name in columns.items()}
    return Sides(found.get("group"), found.get("time"), found.get("weight"))


def groups_of(place: Place, values: Sequence[Any]) -> np.ndarray:
    """What samples have in common, object [N] of texts; None for an empty cell.

    Raises:
        DataError: a cell is neither a text nor a number, or all of them are empty.
    """
    coded = Coded.of(values)
    groups = [_group(place, first + 1, value) for first, value in zip(coded.firsts, coded.different, strict=True)]
    if not any(group is not None for group in groups):
        raise DataError(f"{place} is empty in all rows, but must say the group of some; name another column")
    return coded.taken(groups, object)


def times_of(place: Place, values: Sequence[Any]) -> np.ndarray:
    """When samples were made, [N]: numbers (float64), or microseconds since 1970-01-01 UTC (int64).

    Dates are those of ISO 8601, such as 2024-05, 2024-05-31, 2024-05-31T12:30 and 2024-05-31T12:30:00+02:00; one
    without an offset is of UTC.

    Raises:
        DataError: a cell is empty or no time, or only some are dates, or only some have an offset.
    """
    coded = Coded.of(values)
    times = [_time(place, first + 1, value) for first, value in zip(coded.firsts, coded.different, strict=True)]
    kinds = [_kind(time) for time in times]
    other = next((at for at, kind in enumerate(kinds) if kind != kinds[0]), None)
    if other is not None:
        raise DataError(
            f"{place} is a {kinds[other]} in row {coded.firsts[other] + 1} ({_shown(coded.different[other])}), but a "
            f"{kinds[0]} in row 1 ({_shown(values[0])}); make all of them one kind"
        )
    if kinds and kinds[0] == "number":
        return coded.taken(times, np.float64)
    moments = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times if isinstance(time, datetime)]
    return coded.taken([(moment - _EPOCH) // _MICROSECOND for moment in moments], np.int64)


def weights_of(place: Place, values: Sequence[Any]) -> np.ndarray:
    """How much samples count, float64 [N]; written as numbers of labels may be.

    Raises:
        DataError: a cell is empty, no number, not finite or negative, or all are 0; or a decimal mark is not clear.
    """
    coded = Coded.of(values)
    found = _written(place, coded.different)
    for first, value in zip(coded.firsts, found, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise DataError(
                f"{place} is {_shown(value)} in row {first + 1}, but a weight must be a number from 0; correct it, or "
                "leave data.weight out"
            )
    weights = coded.taken(found, np.float64)
    if not weights.any():
        raise DataError(f"{place} is 0 in all rows, but some sample must count; correct it, or leave data.weight out")
    return weights


def _written(place: Place, different: Sequence[Any]) -> Sequence[Any]:
    """Cells as numbers, where they are texts that all read as such."""
    if not all(isinstance(value, str) for value in different):
        return different
    written = read_written(different)
    if written is not None and written.question:
        raise DataError(f"{place} {written.question.partition('; say which')[0]}; write plain numbers")
    return different if written is None else written.values


def _group(place: Place, row: int, value: Any) -> str | None:
    match value:
        case None:
            return None
        case str():
            return composed(value.strip()) or None
        case bool():
            return str(value).lower()
        case int() | float():
            if not math.isfinite(value):
                return None
            return str(int(value)) if float(value).is_integer() else repr(float(value))
        case datetime() | date():
            return value.isoformat()
        case _:
            rule = "but a group must be a text or a number; name another column"
            raise DataError(f"{place} is a {type(value).__name__} in row {row}, {rule}")


def _time(place: Place, row: int, value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if isinstance(value, str) and (moment := _moment(value.strip())) is not None:
        return moment
    if isinstance(value, str) and NUMBER.fullmatch(value):  # nanoseconds, of which a table of text keeps every digit
        return float(value)
    if value is None or value != value or (isinstance(value, str) and not value.strip()):
        raise DataError(f"{place} is empty in row {row}, but every row must have a time; fill it or remove the row")
    raise DataError(
        f"{place} is {_shown(value)} in row {row}, but must be a number, or a date such as 2024-05-31 or "
        "2024-05-31T12:30; convert the column, or name another"
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    except ValueError:
        return None


def _kind(time: float | datetime) -> str:
    if isinstance(time, float):
        return "number"
    return "date with an offset" if time.tzinfo else "date without an offset"


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        return "empty"
    text = label_name(value)
    return f"`{text if len(text) <= 40 else text[:39] + '…'}`"
