"""A question about the installation, and its answer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Answer:
    """What a check has found.

    Attributes:
        state: ok; note: it works, but not as well as it could; broken: a job would fail.
        found: in words.
        advice: what to do; empty if nothing is.
    """

    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Check:
    """A question.

    Attributes:
        name: of it.
        ask: gives the answer; may raise.
    """

    name: str
    ask: Callable[[], Answer]


@dataclass(frozen=True)
class Finding:
    """A check with its answer."""

    name: str
    state: State
    found: str
    advice: str

    def __str__(self) -> str:
        advice = f"; {self.advice}" if self.advice else ""
        return f"{self.state:7} {self.name:10} {self.found}{advice}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def answered(checks: Sequence[Check]) -> Iterator[Finding]:
    """The checks one after the other; one that cannot be made is broken itself, and stops no other."""
    for check in checks:
        try:
            answer = check.ask()
        except Exception as error:  # whatever a broken installation raises is the finding
            told = " ".join(str(error).split())[:300]
            answer = Answer("broken", f"{type(error).__name__}: {told}", "repair this first")
        yield Finding(check.name, answer.state, answer.found, answer.advice)
