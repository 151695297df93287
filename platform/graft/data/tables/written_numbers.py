"""Numbers as people write them: decimal commas, thousands, currencies, percent. Pure; decided for a whole column.

One cell does not say what `1,234` is. So every cell of a column is held against both readings, and a reading counts if
it fits them all. What two readings fit is asked back.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from graft.core.unicode_form import UNSEEN

DecimalMark = Literal[".", ","]

_MARKS: tuple[DecimalMark, DecimalMark] = (".", ",")
_LONGEST = 64
"""Letters of a number; a cell of more is none, whatever is in it."""
_NAMES = {".": "point", ",": "comma"}
_CODES = (
    "AUD|BRL|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|RUB|SEK|SGD|THB|TRY|USD|ZAR"
    r"|kr\.?|zł|Kč|Ft|Rs\.?|Fr\.?"
)
_UNIT = rf"[A-Z]{{0,3}}[$¢-¥฿₠-⃀﷼]|{_CODES}|[%‰]"
# Kilograms, years, degrees: whatever it is, all cells have the same one, or they are texts.
_ANY_UNIT = r"[^\W\d_]{1,6}[²³]?|°[CFK]?"
_MINUS = "-\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{SMALL HYPHEN-MINUS}\N{FULLWIDTH HYPHEN-MINUS}"
_SIGN = f"[{_MINUS}+]"
# Marks that are not seen, such as those of direction beside a minus sign; and the marks of Arabic numbers.
_AS_USUAL = {
    **UNSEEN,
    ord("\N{ARABIC DECIMAL SEPARATOR}"): ".",
    ord("\N{ARABIC THOUSANDS SEPARATOR}"): ",",
    ord("\N{ARABIC PERCENT SIGN}"): "%",
    ord("\N{FULLWIDTH FULL STOP}"): ".",
    ord("\N{FULLWIDTH COMMA}"): ",",
    ord("\N{FULLWIDTH PERCENT SIGN}"): "%",
}
# Blanks of all widths, and the apostrophes of Switzerland: they stand between thousands, and nowhere else.
_GAPS = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}'\N{RIGHT SINGLE QUOTATION MARK}"
_CELL = re.compile(
    rf"\s*(?P<sign>{_SIGN}?)\s*(?P<before>(?:{_UNIT})?)\s*(?P<inner>{_SIGN}?)"
    rf"(?P<body>(?:\d[\d.,{_GAPS}]*|[.,]\d+)(?<=\d)(?:[eE][-+]?\d+)?)(?P<last>[{_MINUS}]?)\s*(?:(?P<after>{_UNIT})|(?P<any>{_ANY_UNIT}))?\s*"
)


def _form(decimal: DecimalMark) -> re.Pattern[str]:
    other = re.escape("," if decimal == "." else ".")
    grouped = rf"(?!0)\d{{1,3}}(?P<gap>[{other}{_GAPS}])\d{{3}}(?:(?P=gap)\d{{3}})*"
    return re.compile(rf"(?P<whole>{grouped}|\d*)(?:{re.escape(decimal)}(?P<rest>\d+))?(?P<power>[eE][-+]?\d+)?")


_FORMS = {mark: _form(mark) for mark in _MARKS}


@dataclass(frozen=True)
class WrittenNumbers:
    """The cells of a column, all of which are numbers in some way of writing.

    Attributes:
        values: of each cell; empty if there is a question.
        told: how they are read, to follow "numbers, ".
        question: why they cannot be, to follow the column's name.
    """

    values: tuple[float, ...] = ()
    told: str = ""
    question: str = ""


@dataclass(frozen=True)
class _Cell:
    text: str
    sign: float
    unit: str
    body: str
    is_known_unit: bool = True

    @property
    def is_number(self) -> bool:
        """Whether it is one by whichever decimal mark."""
        return any(self.value(mark) is not None for mark in _MARKS)

    def value(self, decimal: DecimalMark) -> float | None:
        """What the cell is if this is its decimal mark; None if it cannot be."""
        found = _FORMS[decimal].fullmatch(self.body)
        if found is None:
            return None
        whole = re.sub(r"\D", "", found["whole"])
        return self.sign * float(f"{whole or '0'}.{found['rest'] or '0'}{found['power'] or ''}")


def read_written(texts: Sequence[str], decimal: DecimalMark | None = None) -> WrittenNumbers | None:
    """Different cells of a column as numbers.

    Args:
        texts: none of them blank.
        decimal: the mark before the fraction, if the user has said it.

    Returns:
        None if one of them is no number in any way of writing.
    """
    cells: list[_Cell] = []
    for text in texts:
        cell = _cell(text)
        if cell is None:
            return None
        cells.append(cell)
    if not cells:
        return None
    if (other := next((cell for cell in cells if cell.unit != cells[0].unit), None)) is not None:
        if not all(cell.is_known_unit for cell in cells):
            return None
        told = f"holds `{cells[0].text}` and `{other.text}`, but numbers need one unit; convert them, and write no unit"
        return WrittenNumbers(question=told)
    return _decided(cells, decimal)


def is_written_number(text: str) -> bool:
    """Whether a cell alone is a number in some way of writing; one with a unit that may be any word is not."""
    cell = _cell(text)
    return cell is not None and cell.is_known_unit and cell.is_number


def _cell(text: str) -> _Cell | None:
    if len(text) > _LONGEST:
        return None
    usual = text.translate(_AS_USUAL).strip()
    in_brackets = usual.startswith("(") and usual.endswith(")")  # how accountants write what is owed
    found = _CELL.fullmatch(usual[1:-1] if in_brackets else usual)
    after = found and (found["after"] or found["any"] or "")
    if found is None or (found["before"] and after):
        return None
    signs = found["sign"] + found["inner"] + found["last"] + "-" * in_brackets
    if len(signs) > 1:
        return None
    sign = 1.0 if signs in ("", "+") else -1.0
    return _Cell(text.strip(), sign, found["before"] or after or "", found["body"], not found["any"])


def _decided(cells: Sequence[_Cell], wanted: DecimalMark | None) -> WrittenNumbers | None:
    failing = {mark: next((cell for cell in cells if cell.value(mark) is None), None) for mark in _MARKS}
    if failing["."] and failing[","]:
        return _contradicting(cells, failing["."], failing[","])
    fitting = [mark for mark in _MARKS if failing[mark] is None]
    if wanted and wanted not in fitting:
        told = f"holds `{_text(failing[wanted])}`, which is no number if the {_NAMES[wanted]} is the decimal mark"
        return WrittenNumbers(question=f"{told}; correct it, or leave `decimal` out of the task")
    unclear = next((cell for cell in cells if cell.value(".") != cell.value(",")), None) if len(fitting) > 1 else None
    mark = wanted or (fitting[0] if unclear is None else _from_zeros(cells))
    if mark is None:
        assert unclear is not None
        readings = " and ".join(f"{unclear.value(one):.10g} if it is the {_NAMES[one]}" for one in _MARKS)
        told = f"holds numbers such as `{unclear.text}`, whose decimal mark no cell tells: it is {readings}"
        return WrittenNumbers(question=f'{told}; say which, as in `task: {{kind: regression, decimal: "."}}`')
    telling = failing["," if mark == "." else "."] or unclear or cells[0]
    told = f"written as `{telling.text}`, which is read as {telling.value(mark):.10g}"
    return WrittenNumbers(tuple(cell.value(mark) or 0.0 for cell in cells), told)


def _contradicting(cells: Sequence[_Cell], no_point: _Cell, no_comma: _Cell) -> WrittenNumbers | None:
    """Each of two cells is a number, but they are written in two ways; or one of them is none in any, such as 1.2.3."""
    if not all(cell.is_number for cell in cells):
        return None
    told = f"holds `{no_point.text}`, whose decimal mark is the comma, and `{no_comma.text}`, whose mark is the point"
    return WrittenNumbers(question=f"{told}; write all in one way")


def _from_zeros(cells: Sequence[_Cell]) -> DecimalMark | None:
    """The decimal mark, if zeros tell it.

    Every cell with a mark has three digits behind it. As decimals they are either written to three places throughout,
    or without zeros at their end. `1,250` beside `950` is neither, so the comma stands between thousands.
    """
    marks = {letter for cell in cells for letter in cell.body if letter in _MARKS}
    bare = [cell.body for cell in cells if not any(mark in cell.body for mark in _MARKS)]
    is_grouped = (
        bare
        and all(len(body) <= 3 for body in bare)
        and any(cell.body.endswith("0") for cell in cells if cell.body not in bare)
    )
    if len(marks) != 1 or not is_grouped:
        return None
    return "," if "." in marks else "."


def _text(cell: _Cell | None) -> str:
    return cell.text if cell is not None else ""
