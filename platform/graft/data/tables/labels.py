"""What the label columns of a table say: numbers, texts, or lists of texts; nothing is guessed beyond that."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.core.errors import DataError
from graft.data.contents.coded import Coded
from graft.data.targets import RawTargets

NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
# 007, or an identifier of so many digits that another would be the same number.
_CODE = re.compile(r"\s*[+-]?(0\d+|\d{16,})\s*")
_MOST_EXACT = 2**53
"""Larger whole numbers may be equal as float64 and yet differ."""

MOST_LABEL_BYTES = 64 * 1024
"""Of a label, or of another cell beside a sample: more is a text, or an attack on the memory."""
MOST_MEMBERS = 10_000
"""Of a list of labels."""


@dataclass(frozen=True)
class Place:
    """Where a label stands, for messages.

    Attributes:
        table: name of the file.
        column: of the labels.
    """

    table: str
    column: str

    def __str__(self) -> str:
        return f"column `{self.column}` of {self.table}"


def raw_targets(columns: Sequence[tuple[Place, Sequence[Any]]]) -> RawTargets:
    """What the label columns of a table say. Rows that lack a label in one of them are `missing`.

    Args:
        columns: the values of each, None where a row has none.

    Raises:
        DataError: no row has a label, or not all are of one kind, or of a kind that no task reads.
    """
    coded = [(place, Coded.of(values)) for place, values in columns]
    missing = _missing([values for _, values in coded])
    if len(missing):
        _require_some(coded, len(missing))
        there = np.delete(np.arange(len(coded[0][1])), missing).tolist()
        coded = [(place, values.picked(there)) for place, values in coded]
    read = [_column(place, values, missing) for place, values in coded]
    names = tuple(place.column for place, _ in columns)
    if len(read) == 1:
        return RawTargets(read[0], columns=names, missing=missing)
    numbers = [values for values in read if isinstance(values, np.ndarray)]
    for (place, _), values in zip(coded, read, strict=True):
        if len(values) and isinstance(values[0], list):
            raise DataError(f"{place} holds lists, which only a single label column may; name that column alone")
    if len(numbers) == len(read):
        return RawTargets(np.stack(numbers, axis=1), columns=names, missing=missing)
    together = np.empty((len(read[0]), len(read)), dtype=object)
    for index, ((_, given), values) in enumerate(zip(coded, read, strict=True)):
        together[:, index] = values.array() if isinstance(values, Coded) else [label_name(value) for value in given]
    return RawTargets(together, columns=names, missing=missing)


def text_numbers(values: Sequence[str | None]) -> bool:
    """Whether there are values that are not blank, and all of them are written as numbers."""
    given = [value for value in values if value and not value.isspace()]
    return bool(given) and all(NUMBER.fullmatch(value) for value in given)


def as_numbers(values: Coded) -> Coded:
    """Texts as the numbers that all of them are written as, unless that would lose what tells two of them apart."""
    different = values.different
    is_lossy = any(value and _CODE.fullmatch(value) for value in different)
    return values if is_lossy or not text_numbers(different) else values.mapped(number_of)


def number_of(value: str | None) -> float | None:
    """The number that such a value is; None if it is blank."""
    return float(value) if value and not value.isspace() else None


def _column(place: Place, values: Coded, missing: np.ndarray) -> np.ndarray | Coded:
    rows = _rows_before(values.firsts, missing)
    kinds = [_kind(place, row, value) for row, value in zip(rows, values.different, strict=True)]
    if len(set(kinds)) > 1:
        other = next(at for at, kind in enumerate(kinds) if kind != kinds[0])
        raise DataError(
            f"{place} is a {kinds[other]} in row {rows[other]} (`{_short(values.different[other])}`), but a {kinds[0]} "
            f"in row {rows[0]}; make all of them one kind"
        )
    if kinds and kinds[0] == "number" and all(map(_is_exact, values.different)):
        return values.taken([float(value) for value in values.different], np.float64)
    return values.mapped(lambda value: _as_list(value) if isinstance(value, list) else label_name(value))


def _is_exact(value: Any) -> bool:
    return isinstance(value, float) or abs(value) <= _MOST_EXACT


def _missing(columns: Sequence[Coded]) -> np.ndarray:
    """int64 [m], rows without a value in one of the columns."""
    return np.unique(np.concatenate([values.rows(_is_missing) for values in columns]))


def _require_some(columns: Sequence[tuple[Place, Coded]], num_missing: int) -> None:
    place, values = columns[0]
    if num_missing == len(values):
        told = str(place) if len(columns) == 1 else f"one of the {len(columns)} label columns of {place.table}"
        raise DataError(f"{told} is empty in every row, but some must have a label; fill it, or name another column")


def _rows_before(there: Sequence[int], missing: np.ndarray) -> list[int]:
    """Rows of the source, counted from 1, of rows that are counted without those that are missing."""
    if not len(missing):
        return [row + 1 for row in there]
    shifts = np.searchsorted(missing - np.arange(len(missing)), np.asarray(there), side="right")
    return [row + int(shift) + 1 for row, shift in zip(there, shifts, strict=True)]


def _is_missing(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and value != value)


def _kind(place: Place, row: int, value: Any) -> str:
    match value:
        case str() if len(value) > MOST_LABEL_BYTES:
            raise too_long(place, row, len(value))
        case bool() | str():
            return "text"
        case int() | float():
            if abs(value) > 1e308 or value in (float("inf"), float("-inf")):
                raise DataError(f"{place} is {_short(value)} in row {row}, but must be finite; correct it")
            return "number"
        case list():
            for member in value:
                if not isinstance(member, str | int | float):
                    raise DataError(
                        f"{place} has `{_short(member)}` in the list of row {row}, but must hold texts; correct it"
                    )
            return "list"
        case _:
            rule = "but must be a number, a text, or a list of texts; name another column"
            raise DataError(
                f"{place} is {'an object' if isinstance(value, dict) else type(value).__name__} in row {row}, {rule}"
            )


def too_long(place: Place, row: int, size: int) -> DataError:
    """What to say of a cell that is no label by its size."""
    return DataError(
        f"{place} has {size} characters in row {row}, but may have {MOST_LABEL_BYTES}; name a column of labels"
    )


def _as_list(values: Sequence[Any]) -> list[str]:
    return [label_name(value) for value in values]


def label_name(value: Any) -> str:
    """A cell as the name of a label: 3.0 is that of 3, and truth has one spelling."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
