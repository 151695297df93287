"""Whoever gives labels: a person at a terminal (`graft.cli`), a file that grows, or an oracle that knows them all."""

import csv
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graft.core.errors import DataError, SpecError
from graft.core.private_files import open_regular
from graft.core.unicode_form import composed
from graft.data.folders.label_names import check_names_differ

IDS = ("id", "path")


@dataclass(frozen=True)
class Answer:
    """A label; None where nobody can tell."""

    label: str | None


@dataclass(frozen=True)
class TakeBack:
    """In place of an answer: the one before was wrong."""


@dataclass(frozen=True)
class Question:
    """A label is wanted.

    Attributes:
        sample: its id.
        why: in words.
        last: the sample whose answer may be taken back; None if none may.
    """

    sample: str
    why: str
    last: str | None = None


class LabelSource(Protocol):
    """Gives labels."""

    @property
    def by(self) -> str:
        """Who it is, for the journal."""

    @property
    def repeats(self) -> bool:
        """Whether an answer to the same question may be another one: a person's, not that of a list."""

    def ask(self, question: Question) -> Answer | TakeBack | None:
        """The label of a sample; None if it is not to be had now, so that a person need not be asked for others."""


@dataclass(frozen=True)
class Oracle:
    """Knows all labels.

    Attributes:
        truth: by the id of the sample.
    """

    truth: dict[str, str | None]
    by: str = "oracle"
    repeats: bool = False

    def ask(self, question: Question) -> Answer:
        """What it knows."""
        return Answer(self.truth.get(question.sample))


@dataclass(frozen=True)
class Called:
    """A function that answers, as a terminal does.

    Attributes:
        function: takes the id of a sample and why it is asked for.
        by: who answers.
    """

    function: Callable[[str, str], Answer | None]
    by: str
    repeats: bool = True

    def ask(self, question: Question) -> Answer | None:
        """What it answers."""
        return self.function(question.sample, question.why)


def labels_of_file(path: Path, known: Collection[str]) -> Called:
    """The labels that a CSV file has so far, with the columns ``id`` (or ``path``) and ``label``.

    Args:
        path: of the file; rows without a label are not answered yet.
        known: ids of the pool, those of unreadable samples too.

    Raises:
        SpecError: there is no such file, or it has other columns.
        DataError: it labels samples that are not in the pool, or one sample twice in two ways; or two of its labels are
            one word typed in two ways, or a row has more cells than there are columns.
    """
    try:
        with open(open_regular(path), newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            reader.fieldnames = columns = [name.strip() for name in reader.fieldnames or []]
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told = (isinstance(error, OSError) and error.strerror) or str(error)
        raise SpecError(f"--labels is {path}, which cannot be read as CSV ({told}); name another file") from error
    column = _id_column(path, columns)
    spelled, found = {composed(one): one for one in known}, dict[str, str | None]()
    for line, row in rows:
        if None in row:
            told = f"{path}, line {line} has more cells than there are columns, but must have as many"
            raise DataError(f"{told}; put a label with a comma in quotes")
        name, label = (row[column] or "").strip(), composed((row["label"] or "").strip())
        if not label:
            continue
        name = name if name in known else spelled.get(composed(name), name)
        if name not in known:
            raise DataError(f"{path}, line {line} labels `{name}`, which is not in the pool; correct or remove the row")
        if found.setdefault(name, label) != label:
            told = f"{path}, line {line} says `{label}` of `{name}`, which has been called `{found[name]}` before"
            raise DataError(f"{told}; decide which, and remove the other row")

    check_names_differ([*dict.fromkeys(label for label in found.values() if label)], str(path))

    def ask(sample: str, why: str) -> Answer | None:
        return Answer(found[sample]) if sample in found else None

    return Called(ask, f"file {path.name}", repeats=False)


def _id_column(path: Path, columns: Sequence[str]) -> str:
    """The column of the ids, in a file that has one of the labels too.

    Raises:
        SpecError: it has not, or has one of them twice.
    """
    column = next((name for name in IDS if name in columns), None)
    if column is None or "label" not in columns:
        told = f"--labels is {path}, whose columns are {', '.join(columns) or '(none)'}"
        is_parted = len(columns) == 1 and any(mark in columns[0] for mark in ";\t")
        advice = "; separate them by commas" if is_parted else ""
        raise SpecError(f"{told}, but must be `id` (or `path`) and `label`{advice}")
    if twice := [name for name in (column, "label") if columns.count(name) > 1]:
        raise SpecError(f"--labels is {path}, which has {columns.count(twice[0])} columns `{twice[0]}`; leave one")
    return column
