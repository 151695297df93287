"""Whoever gives labels: a person at a terminal (`graft.cli`), a file that grows, or an oracle that knows them all."""

import csv
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from graft.core.errors import DataError, SpecError
from graft.core.private_files import open_regular

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
        DataError: it labels samples that are not in the pool, or one sample twice in two ways.
    """
    try:
        with open(open_regular(path), newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns, rows = reader.fieldnames or [], [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        told = (isinstance(error, OSError) and error.strerror) or str(error)
        raise SpecError(f"--labels is {path}, which cannot be read as CSV ({told}); name another file") from error
    column = next((name for name in IDS if name in columns), None)
    if column is None or "label" not in columns:
        told = f"--labels is {path}, whose columns are {', '.join(columns) or '(none)'}"
        raise SpecError(f"{told}, but must be `id` (or `path`) and `label`")
    found: dict[str, str | None] = {}
    for line, row in rows:
        name, label = (row[column] or "").strip(), (row["label"] or "").strip()
        if not label:
            continue
        if name not in known:
            raise DataError(f"{path}, line {line} labels `{name}`, which is not in the pool; correct or remove the row")
        if found.setdefault(name, label) != label:
            told = f"{path}, line {line} says `{label}` of `{name}`, which has been called `{found[name]}` before"
            raise DataError(f"{told}; decide which, and remove the other row")

    def ask(sample: str, why: str) -> Answer | None:
        return Answer(found[sample]) if sample in found else None

    return Called(ask, f"file {path.name}", repeats=False)
