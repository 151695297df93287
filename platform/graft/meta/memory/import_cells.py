"""The cells of one row of a file of results, each read as what it must be."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import Problem
from graft.core.storage import canonical_json

_SHOWN = 40
_MOST_TEXT, _MOST_JSON = 500, 100_000

Take = Callable[[dict[str, Any], str, Callable[[], Any]], None]


class Wrong(Exception):  # noqa: N818 - collected, never raised to a caller of the package
    """Cells of a row that cannot be what they are.

    Attributes:
        problems: all of them.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Cells:
    """A row.

    Attributes:
        path: of the file.
        place: ``line 7``.
        values: column -> cell; texts of CSV, anything of Parquet.
    """

    path: Path
    place: str
    values: Mapping[str, Any]

    def wrong(self, name: str, message: str) -> Wrong:
        """What is raised for a cell."""
        return Wrong([Problem(f"{self.place}, {name}", message, str(self.path))])

    @contextlib.contextmanager
    def collecting(self) -> Iterator[Take]:
        """Yield ``take(into, name, read)``, which reads a cell and goes on if it is wrong.

        Raises:
            Wrong: at the end, with all that were.
        """
        problems: list[Problem] = []

        def take(into: dict[str, Any], name: str, read: Callable[[], Any]) -> None:
            try:
                into[name] = read()
            except Wrong as wrong:
                problems.extend(wrong.problems)

        yield take
        if problems:
            raise Wrong(problems)

    def given(self, name: str) -> str:
        """A cell as text; empty if there is none."""
        value = self.values.get(name)
        if isinstance(value, list | dict | bytes):
            kind = type(value).__name__
            raise self.wrong(name, f"is of type {kind}, but must be a text or a number; write it as one")
        return "" if value is None else str(value).strip()

    def text(self, name: str) -> str:
        """A cell that must not be empty."""
        found = self.given(name)
        if not found:
            raise self.wrong(name, "is empty, but must be given; fill it in")
        if len(found) > _MOST_TEXT:
            raise self.wrong(name, f"has {len(found):,} letters, but must have at most {_MOST_TEXT}; shorten it")
        return found

    def number(self, name: str) -> float:
        """A cell that must be a finite number."""
        text = self.given(name)
        try:
            found = float(text)
        except ValueError:
            raise self.wrong(name, f"is `{text[:_SHOWN]}`, but must be a number; correct it") from None
        if not math.isfinite(found):
            raise self.wrong(name, f"is {text[:_SHOWN]}, but must be finite; leave out what has no result")
        return found

    def optional_number(self, name: str, lowest: float) -> float | None:
        """A number, or nothing."""
        if self.given(name) in ("", "nan", "NaN") and name in ("seconds", "written_at"):
            return None
        found = self.number(name)
        if found < lowest:
            raise self.wrong(name, f"is {found:g}, but must be >= {lowest:g}; correct it")
        return found

    def count(self, name: str, lowest: int = 1) -> int | None:
        """A whole number, or nothing."""
        if not self.given(name) or self.given(name).lower() == "nan":
            return None
        found = self.number(name)
        if found < lowest or found != int(found):
            raise self.wrong(name, f"is {found:g}, but must be a whole number >= {lowest}; correct it")
        return int(found)

    def one_of(self, name: str, known: Sequence[str], usual: str) -> str:
        """One of some words; the usual one if there is none."""
        found = self.given(name) or usual
        if found not in (*known, usual):
            raise self.wrong(name, f"is `{found[:_SHOWN]}`, but must be one of {', '.join(known)}; correct it")
        return found

    def json_object(self, name: str) -> str | None:
        """A JSON object in its canonical form, or nothing."""
        text = self.given(name)
        if not text:
            return None
        try:
            if len(text) > _MOST_JSON:
                raise ValueError
            found = json.loads(text)
            if not isinstance(found, dict):
                raise ValueError
            return canonical_json(found)
        except (ValueError, RecursionError):
            raise self.wrong(name, f"is `{text[:_SHOWN]}`, but must be a JSON object; correct it") from None

    def mapping(self, name: str) -> Mapping[str, str]:
        """A JSON object of texts; empty if there is none."""
        text = self.json_object(name)
        return {} if text is None else {key: str(value) for key, value in json.loads(text).items()}
