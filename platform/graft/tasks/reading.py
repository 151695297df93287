"""What the cells of label columns hold, before any task has made sense of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.data.contents.coded import Coded
from graft.data.contents.written_lists import read_written_lists
from graft.data.folders.label_names import truth_of
from graft.data.tables.written_numbers import DecimalMark, WrittenNumbers, is_written_number, read_written
from graft.data.targets import RawTargets

Form = Literal["empty", "numbers", "words", "lists", "mixed"]

_NAMED = 5
_NO_NUMBER = ("nan", "NaN")  # what writers of numbers leave where there is none; among words it is a word
# A column of texts most of which are many different numbers is one of numbers with something wrong in it.
_MANY_NUMBERS = 20


@dataclass(frozen=True)
class LabelColumn:
    """One column of labels.

    Attributes:
        where: the column for people: ``column `stars` of reviews.csv``, or ``the label of digits``.
        name: of the column; empty where the source has none.
        cells: a number, a text without blanks around it, or a list of each row; None where it is missing.
    """

    where: str
    name: str
    cells: Coded

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def missing(self) -> np.ndarray:
        """Rows that hold nothing, int64."""
        return self.cells.rows(lambda cell: cell is None)

    @cached_property
    def numbers(self) -> np.ndarray | None:
        """float64 [N], NaN where missing; None unless every cell that is there is a number, or reads as one."""
        found = [math.nan if cell is None else number_in(cell) for cell in self.cells.different]
        return None if any(one is None for one in found) else self.cells.taken(found, np.float64)

    @cached_property
    def form(self) -> Form:
        """What the column holds; `mixed` if no one reading of it makes sense."""
        present = self.different
        if not present:
            return "empty"
        if self.numbers is not None:
            return "numbers"
        texts = sum(isinstance(cell, str) for cell in present)
        lists = sum(isinstance(cell, list) for cell in present)
        if texts + lists < len(present):
            return "mixed"
        if lists:
            return "lists"
        if self.written() is not None:
            return "words"
        numeric = {cell for cell in present if _is_number(cell)}
        is_mixed = len(numeric) > _MANY_NUMBERS and 2 * len(self._odd(True)) > len(self) - len(self.missing)
        return "mixed" if is_mixed else "words"

    @property
    def different(self) -> list[Any]:
        """The cells that hold something, equal ones but once, in the order in which they first come."""
        return [cell for cell in self.cells.different if cell is not None]

    def written(self, decimal: DecimalMark | None = None) -> WrittenNumbers | None:
        """The different cells as numbers with decimal commas, thousands or units; None if they are none, or plain ones.

        Args:
            decimal: the mark before the fraction, if the user has said it.
        """
        if self.numbers is not None or not all(isinstance(cell, str) for cell in self.different):
            return None
        return read_written(self.different, decimal)

    @property
    def numbers_however_written(self) -> np.ndarray | None:
        """float64 [N], NaN where missing; None unless every cell is a number in a way of writing that is clear."""
        written = self.written()
        return self.taken_from(written) if written is not None and written.values else self.numbers

    @cached_property
    def flags(self) -> np.ndarray | None:
        """float64 [N] of ones and zeros, NaN where missing; None unless every cell is one of them, or yes or no."""
        numbers = self.numbers_however_written
        if numbers is None and all(isinstance(cell, str) for cell in self.different):
            said = [None if cell is None else truth_of(cell) for cell in self.cells.different]
            if all(cell is None or answer is not None for cell, answer in zip(self.cells.different, said, strict=True)):
                numbers = self.cells.taken([math.nan if one is None else float(one) for one in said], np.float64)
        return numbers if numbers is not None and set(numbers[~np.isnan(numbers)]) <= {0.0, 1.0} else None

    def taken_from(self, written: WrittenNumbers) -> np.ndarray:
        """float64 [N], NaN where missing."""
        values = iter(written.values)
        return self.cells.taken(
            [math.nan if cell is None else next(values) for cell in self.cells.different], np.float64
        )

    def require_complete(self) -> None:
        """Check that there are rows, and that none lacks its label.

        Raises:
            DataError: counts them, and names the first.
        """
        if not len(self):
            raise DataError(f"{self.where} has no labels, but every sample needs one; check the source")
        if count := len(self.missing):
            raise DataError(
                f"{count} of {len(self)} values are missing in {self.where} ({rows_named(self.missing)}), but every "
                "sample needs one; fill them in or remove the rows"
            )

    def require_one_form(self) -> None:
        """Check that the column is one of numbers, of words, or of lists.

        Raises:
            DataError: shows one cell of each sort.
        """
        if self.form != "mixed":
            return
        sorts = {"numbers": self._odd(True), "words or lists": self._odd(False)}
        told = " and ".join(f"{sort} ({rows_named(rows)}: {self.shown(rows[0])})" for sort, rows in sorts.items())
        raise DataError(
            f"{self.where} holds {told}, but must hold one sort of thing; mend the cells or name another column"
        )

    def shown(self, row: int) -> str:
        """A cell in a message."""
        return shown(self.cells[row])

    def examples(self) -> str:
        """The first different cells, for a message; of words, those first that are no numbers."""
        present = self.different
        if self.form == "words":
            present.sort(key=_is_number)
        return ", ".join([*dict.fromkeys(map(shown, present))][:3])

    def _odd(self, numeric: bool) -> np.ndarray:
        return self.cells.rows(lambda cell: cell is not None and _is_number(cell) == numeric)


def label_columns(raw: RawTargets, source: str) -> tuple[LabelColumn, ...]:
    """The columns of what a source says; codes are given as the names they stand for.

    Raises:
        DataError: a cell holds something that is no label.
    """
    if isinstance(raw.values, np.ndarray) and raw.values.dtype.kind in "mM":
        raise DataError(
            f"the label of {source} holds dates, but a label is a text, a number or a list; convert the column or name "
            "another"
        )
    found = _columns(raw)
    named = raw.columns if len(raw.columns) == len(found) else ("",) * len(found)
    columns = []
    for values, name in zip(found, named, strict=True):
        where = f"column `{name}` of {source}" if name else f"the label of {source}"
        columns.append(LabelColumn(where, name, _cells(values, where)))
    return tuple(columns)


def _columns(raw: RawTargets) -> list[Coded]:
    values = raw.values
    if isinstance(values, Coded):
        return [values]
    if raw.categories:
        values = np.array(raw.categories, dtype=object)[values]
    return [Coded(column if column.dtype == object else column.tolist()) for column in np.atleast_2d(values.T)]


def one_column(raw: RawTargets, source: str, task: str) -> LabelColumn:
    """The only column.

    Raises:
        DataError: there are several.
    """
    columns = label_columns(raw, source)
    if len(columns) != 1:
        names = ", ".join(column.name for column in columns)
        raise DataError(
            f"data.label names {len(columns)} columns ({names}), but {task} takes one; name one of them, or several of "
            "numbers with task: regression"
        )
    return columns[0]


def is_measured(numbers: np.ndarray) -> bool:
    """Whether numbers are values of a scale rather than names: fractions, or very many different ones."""
    distinct = np.unique(numbers[np.isfinite(numbers)])
    return has_fractions(distinct) or are_many(len(distinct), len(numbers))


def are_many(distinct: int, rows: int) -> bool:
    """Whether so many different values in so many rows are rather measured than names."""
    return distinct > max(20, 0.05 * rows)


def has_fractions(numbers: np.ndarray) -> bool:
    """Whether a number is not a whole one."""
    finite = numbers[np.isfinite(numbers)]
    return bool(np.any(finite != np.round(finite)))


def number_in(cell: Any) -> float | None:
    """The number that a cell is or reads as; None if it is none."""
    if isinstance(cell, list):
        return None
    if isinstance(cell, str) and "_" in cell:  # Python reads 1_000 as a number, people as a name
        return None
    try:
        return float(cell)
    except (ValueError, OverflowError):
        return None


def _is_number(cell: Any) -> bool:
    return number_in(cell) is not None or (isinstance(cell, str) and is_written_number(cell))


def rows_named(rows: Sequence[int] | np.ndarray) -> str:
    """A few rows for a message, counted from 1."""
    first = ", ".join(str(int(row) + 1) for row in rows[:_NAMED])
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"


def shown(cell: Any, length: int = 30) -> str:
    """A cell, short and on one line, in backticks."""
    text = " ".join(str(cell).split())
    return f"`{text if len(text) <= length else text[: length - 1] + '…'}`"


def _cells(coded: Coded, where: str) -> Coded:
    cells: list[Any] = []
    for row, found in zip(coded.firsts, coded.different, strict=True):
        value = found.item() if isinstance(found, np.generic) else found
        if isinstance(value, str):
            cells.append(composed(value.strip()) or None)
        elif isinstance(value, bool | int | float):
            cells.append(None if value != value else value)
        elif value is None or type(value).__name__ in ("NAType", "NaTType"):
            cells.append(None)
        elif isinstance(value, list | tuple | np.ndarray):
            cells.append([composed(part) if isinstance(part, str) else part for part in value])
        elif isinstance(value, set | frozenset):
            cells.append(sorted(value, key=str))
        else:
            kind = type(value).__name__
            raise DataError(
                f"{where} holds a {kind} in row {row + 1}, but a label is a text, a number or a list; "
                "convert the column or name another"
            )
    read = iter(_as_lists(_without_no_numbers(cells)))
    return coded.mapped(lambda _: next(read))


def _as_lists(cells: list[Any]) -> list[Any]:
    """The same cells as lists, if all that are there are written as such."""
    present = [cell for cell in cells if cell is not None]
    if not present or not all(isinstance(cell, str) for cell in present):
        return cells
    lists = read_written_lists(present)
    if lists is None:
        return cells
    read = iter(lists)
    return [None if cell is None else next(read) for cell in cells]


def _without_no_numbers(cells: list[Any]) -> list[Any]:
    """The same cells, None for those that say that there is no number, in a column of numbers."""
    present = [cell for cell in cells if cell is not None and cell not in _NO_NUMBER]
    if len(present) == len(cells) or any(number_in(cell) is None for cell in present):
        return cells
    return [None if cell in _NO_NUMBER else cell for cell in cells]


def places_of(found: Sequence[str], known: Sequence[str], noun: str) -> np.ndarray:
    """Where the names of some data stand among those that a model knows, int64.

    Raises:
        DataError: it does not know one of them.
    """
    places = {composed(name): place for place, name in enumerate(known)}
    strange = [name for name in found if composed(name) not in places]
    if strange:
        listed = ", ".join(known[:10]) + (", …" if len(known) > 10 else "")
        raise DataError(
            f"the data has the {noun} `{strange[0]}`, but the model knows {listed}; leave its samples out, or train a "
            "model with them"
        )
    return np.array([places[composed(name)] for name in found], dtype=np.int64)
