"""What a column of a table holds, as far as it helps to tell samples, labels and splits apart. Pure."""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from graft.core.unicode_form import composed
from graft.data.contents.written_lists import read_written_lists
from graft.data.folders.label_names import truth_of
from graft.data.splits.names import split_of
from graft.data.tables.labels import NUMBER, label_name
from graft.data.tables.written_numbers import read_written

Form = Literal["empty", "numbers", "words", "lists", "other"]

_LOOKED_AT = 400
"""Values that decide what a column is made of; all of them are counted."""
_MANY_NUMBERS = 10
"""To one text: then they are numbers with something else among them."""
_MOST_SPLITS = 6
"""Different names of splits in one column."""

_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
_CODED = re.compile(r"(https?|ftp|s3)://\S+|[0-9a-fA-F-]{16,}|\S+@\S+\.\S+")
# Whatever stands around it: quotes, the brackets of a link or of a mapping. Not what a domain may end in, such as .com.
_NAME_OF_FILE = re.compile(
    r"(?i).{0,300}\w\.(jpe?g|png|gif|bmp|tiff?|webp|hei[cf]|avif|svg|psd|cr[23]|nef|arw|dng|dcm|nii|mp[34]|m4[av]|wav"
    r"|flac|ogg|opus|aac|mov|avi|mkv|webm|pdf|docx?|xlsx?|pptx?|odt|rtf|txt|html?|xml|jsonl?|csv|tsv|parquet|np[yz]"
    r"|pkl|pt|h5|zip|tar|gz|7z)([^\w\s]{0,6}|[?#]\S*)"
)


@dataclass(frozen=True)
class ColumnFacts:
    """A column.

    Attributes:
        name: of it.
        form: what its cells are.
        rows: how many there are.
        missing: how many hold nothing.
        distinct: how many different ones there are.
        words: in a text, on average.
        characters: in a text, on average.
        whole: whether all numbers are.
        consecutive: whether they are whole, all different, and without a gap.
        binary: whether all of them are 0 or 1, or say yes or no, and both are there.
        files: share of the texts that name a file of samples.
        coded: share of the texts that are dates, addresses, digests or names of files.
        separated: share of the texts with a separator of labels.
        splits: whether all texts are names of splits, and of more than one.
        strange: a text in a column of numbers; empty if it is none of them.
        known: share of the cells that name what a model predicts; None where no model is to be scored.
    """

    name: str
    form: Form
    rows: int
    missing: int = 0
    distinct: int = 0
    words: float = 0.0
    characters: float = 0.0
    whole: bool = False
    consecutive: bool = False
    binary: bool = False
    files: float = 0.0
    coded: float = 0.0
    separated: float = 0.0
    splits: bool = False
    strange: str = ""
    known: float | None = None

    @property
    def present(self) -> int:
        """Rows that hold something."""
        return self.rows - self.missing


def facts_of(name: str, values: Sequence[Any], is_file: Callable[[str], bool], separator: str = ";") -> ColumnFacts:
    """The facts about a column.

    Args:
        name: of it.
        values: numbers, texts, lists or None, a row each.
        is_file: whether a text names a file of samples.
        separator: what stands between several labels of a cell.
    """
    present = [value for value in values if not _is_missing(value)]
    form = _form(present)
    distinct = len({str(value) for value in present})
    facts = ColumnFacts(name, form, len(values), len(values) - len(present), distinct)
    if form == "numbers":
        return _with_numbers(facts, [float(value) for value in present])
    if form == "words" and all(isinstance(value, str) for value in present):
        written = read_written(list(dict.fromkeys(present)))
        if written is not None:
            # Where it is open how they are read, they are numbers all the same; the task asks.
            facts = replace(facts, form="numbers")
            return _with_numbers(facts, written.values) if written.values else facts
        if read_written_lists(list(dict.fromkeys(present))) is not None:
            return replace(facts, form="lists")
    if form == "words":
        return _with_texts(facts, [_text(value) for value in present], is_file, separator)
    return facts


def share_known(values: Sequence[Any], names: Collection[str], separator: str = ";") -> float | None:
    """Share of the cells that hold something which name what a model predicts, or several of them.

    Args:
        values: numbers, texts, lists or None, a row each.
        names: of what it predicts; None is the answer if there are none.
        separator: what stands between several labels of a cell.
    """
    if not names:
        return None
    spelled = {composed(name) for name in names}

    def is_known(value: Any) -> bool:
        if isinstance(value, list):
            return bool(value) and all(is_known(part) for part in value)
        text = composed(label_name(value).strip())
        return text in spelled or (separator in text and all(part.strip() in spelled for part in text.split(separator)))

    present = [value for value in values if not _is_missing(value)]
    return sum(map(is_known, present)) / len(present) if present else 0.0


def _with_numbers(facts: ColumnFacts, numbers: Sequence[float]) -> ColumnFacts:
    whole = all(number.is_integer() for number in numbers)
    span = max(numbers) - min(numbers) + 1
    return ColumnFacts(
        facts.name,
        facts.form,
        facts.rows,
        facts.missing,
        facts.distinct,
        whole=whole,
        consecutive=whole and facts.distinct == facts.present == span,
        binary=set(numbers) == {0.0, 1.0},
    )


def _with_texts(
    facts: ColumnFacts, texts: Sequence[str], is_file: Callable[[str], bool], separator: str
) -> ColumnFacts:
    some = texts[:: max(1, len(texts) // _LOOKED_AT)]

    def share(has: Callable[[str], Any]) -> float:
        return sum(bool(has(text)) for text in some) / len(some)

    names = {split_of(text) for text in set(texts)} if facts.distinct <= _MOST_SPLITS else {None}
    return ColumnFacts(
        facts.name,
        facts.form,
        facts.rows,
        facts.missing,
        facts.distinct,
        words=sum(len(text.split()) for text in some) / len(some),
        characters=sum(map(len, some)) / len(some),
        files=share(is_file),
        coded=share(_is_coded),
        separated=share(lambda text: separator in text),
        splits=None not in names and len(names) > 1,
        binary=facts.distinct <= _MOST_SPLITS and {truth_of(text) for text in set(texts)} == {True, False},
        strange=_strange(texts),
    )


def is_date(text: str) -> bool:
    """Whether a text is a date, or a time of day."""
    return bool(_DATE.fullmatch(text.strip()))


def _is_coded(text: str) -> bool:
    plain = text.strip()
    return any(pattern.fullmatch(plain) for pattern in (_DATE, _CODED, _NAME_OF_FILE))


def _strange(texts: Sequence[str]) -> str:
    others = [text for text in texts if not NUMBER.fullmatch(text)]
    return others[0] if 0 < _MANY_NUMBERS * len(others) <= len(texts) else ""


def _form(present: Sequence[Any]) -> Form:
    if not present:
        return "empty"
    kinds = {_kind(value) for value in present}
    return kinds.pop() if len(kinds) == 1 else "other"


def _kind(value: Any) -> Form:
    match value:
        case bool() | str():
            return "words"
        case int() | float():
            return "numbers"
        case list():
            return "lists"
        case _:
            return "other"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_missing(value: Any) -> bool:
    return value is None or value != value or (isinstance(value, str) and not value.strip())
