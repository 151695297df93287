"""Which column of a table holds the samples, which the labels, which the splits. Pure; what is open is asked back."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from graft.core.errors import DataError
from graft.data.tables.column_facts import ColumnFacts

# Names that say what a column is, where several could be; what comes first says more.
_SAMPLE_NAMES = (
    ("text", "texts", "image", "images", "file", "filename", "file_name", "filepath", "file_path", "path"),
    ("sentence", "review", "review_text", "comment", "comment_text", "content", "body", "message", "document", "tweet"),
)
_LABEL_NAMES = (
    ("label", "labels", "target", "class", "classes", "y"),
    (
        *("category", "tag", "tags", "topic", "genre", "species", "language", "sentiment", "intent", "emotion"),
        *("stars", "rating", "score", "grade", "price", "age", "outcome"),
    ),
)
_KEY = re.compile(r"(?i)(.*[_ .-])?(id|ids|uuid|guid|index|idx|key|row|nr|no|number)|unnamed.*|#|")
_MANY_WORDS, _MANY_LETTERS = 3, 30
_MOST_WORDS_OF_A_LABEL = 6
_FEWEST_FLAGS = 3


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are for.

    Attributes:
        sample: column of the samples.
        is_file: whether it names their files.
        labels: columns of the labels.
        split: column of the splits, if there is one.
        others: columns that could have been the label, too.
    """

    sample: str
    is_file: bool
    labels: tuple[str, ...]
    split: str | None
    others: tuple[str, ...] = ()


def decide_roles(columns: Sequence[ColumnFacts], table: str, sample: str | None, labels: Sequence[str]) -> Roles:
    """What the columns of a table are for.

    Args:
        columns: of the table.
        table: its name, for messages.
        sample: column of the samples, if the user has named it.
        labels: columns of the labels, if the user has named them.

    Raises:
        DataError: it can be read in several ways, or in none; the message names the columns there are.
    """
    split = next((one.name for one in columns if one.splits and one.name not in (sample, *labels)), None)
    free = [one for one in columns if one.name not in (split, *labels)]
    chosen = next((one for one in free if one.name == sample), None) or _sample(free, table)
    if labels:
        return Roles(chosen.name, _names_files(chosen), tuple(labels), split)
    rest = [one for one in free if one.name != chosen.name]
    found, others = _labels(rest, table)
    return Roles(chosen.name, _names_files(chosen), found, split, others)


def _names_files(column: ColumnFacts) -> bool:
    return column.files >= 0.5


def _sample(columns: Sequence[ColumnFacts], table: str) -> ColumnFacts:
    files = [one for one in columns if _names_files(one)]
    prose = [one for one in columns if _is_prose(one)]
    short = [
        one for one in columns if _is_text(one) and 2 * one.distinct > one.present and not _KEY.fullmatch(one.name)
    ]
    called = [one for one in columns if _is_text(one) and one.name.strip().lower() in _SAMPLE_NAMES[0]]
    for found in (files, prose, short, called):
        if found:
            return _named(found, _SAMPLE_NAMES) or _refuse(table, found, "the samples", "--sample")
    raise DataError(
        f"{table} has no column of texts or of names of images ({_listed(columns)}); name it with --sample COLUMN, or "
        "check the table"
    )


def _labels(columns: Sequence[ColumnFacts], table: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of the labels, and those that could have been."""
    if found := _of_model(columns):
        return (found.name,), ()
    able = [one for one in columns if _may_be_label(one)]
    if not able:
        told = f"its other columns are {_listed(columns)}" if columns else "it has no other column"
        raise DataError(
            f"{table} has no column that may be the label: {told}; a label repeats, or is a measured number: name it "
            "with --label COLUMN"
        )
    # Of flags alone none is *the* label, unless one is called so.
    if len(able) >= _FEWEST_FLAGS and all(one.binary for one in able) and not _named(able, _LABEL_NAMES[:1]):
        return tuple(one.name for one in able), ()
    chosen = _named(able, _LABEL_NAMES) or _refuse(table, able, "the label", "--label")
    return (chosen.name,), tuple(one.name for one in able if one is not chosen)


def _of_model(columns: Sequence[ColumnFacts]) -> ColumnFacts | None:
    """The column of what a model that is to be scored predicts, whatever else it is like: it may be of one class."""
    asked = [one for one in columns if one.known is not None]
    for least in (1.0, 0.5):
        if found := [one for one in asked if (one.known or 0.0) >= least]:
            return _named(found, _LABEL_NAMES)
    return next((one for one in asked if one.name.strip().lower() in _LABEL_NAMES[0]), None)


def _named(found: Sequence[ColumnFacts], names: Sequence[Sequence[str]]) -> ColumnFacts | None:
    """The only one, or the only one whose name says so."""
    if len(found) == 1:
        return found[0]
    for tier in names:
        hits = [one for one in found if one.name.strip().lower() in tier]
        if hits:
            return hits[0] if len(hits) == 1 else None
    return None


def _refuse(table: str, found: Sequence[ColumnFacts], what: str, option: str) -> NoReturn:
    names = ", ".join(f"`{one.name}`" for one in found[:20]) + (", …" if len(found) > 20 else "")
    raise DataError(
        f"{table} has {len(found)} columns that may be {what}: {names}; name one, as in `{option} "
        f"{shlex.quote(found[0].name)}`"
    )


def _is_text(column: ColumnFacts) -> bool:
    return column.form == "words" and column.coded < 0.5 and not column.splits


def _is_prose(column: ColumnFacts) -> bool:
    is_long = column.words >= _MANY_WORDS or column.characters >= _MANY_LETTERS
    # The name of a class may have many words, too, but it repeats.
    return _is_text(column) and is_long and 10 * column.distinct > 3 * column.present


def _may_be_label(column: ColumnFacts) -> bool:
    if _KEY.fullmatch(column.name.strip()) or column.distinct < 2 or 2 * column.present < column.rows:
        return False
    match column.form:
        case "lists":
            return True
        case "numbers":
            return not column.consecutive
        case "words":
            repeats = 2 * column.distinct <= column.present or column.separated >= 0.05
            is_short = column.words <= _MOST_WORDS_OF_A_LABEL or column.separated >= 0.05
            return repeats and is_short and column.coded < 0.5 and not column.splits and column.files < 0.5
    return False


def _listed(columns: Sequence[ColumnFacts]) -> str:
    found = [f"`{one.name}` ({_in_words(one)})" for one in columns[:12]]
    return ", ".join(found) + (", …" if len(columns) > 12 else "") if found else "none at all"


def _in_words(column: ColumnFacts) -> str:
    if column.form == "empty":
        return "empty"
    if column.form == "other":
        return "mixed" if column.rows else "of a type that is not read"
    if column.coded >= 0.5:
        return "dates, addresses, digests or names of files"
    if column.distinct == 1:
        return "the same in every row"
    if column.strange:
        return f"numbers, but for `{column.strange.strip()[:40]}`: correct that, or empty the cell"
    return f"{column.distinct} different {'numbers' if column.form == 'numbers' else 'texts'}"
