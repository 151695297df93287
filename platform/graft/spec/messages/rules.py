"""How a spec says that a value breaks a rule, so that the sentence reaches the user as it was written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from graft.core.credentials import redact

RULE = "graft_rule"
SENTENCE = "graft_sentence"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """One broken rule at one place.

    Attributes:
        path: keys and indices from the root of what is being read.
        message: value, then rule, then what to do.
    """

    path: Path
    message: str


def broken(rule: str) -> PydanticCustomError:
    """The error for a validator to raise; the value is put before the rule.

    Args:
        rule: what the value must be, such as ``"must be a whole number above 1"``.
    """
    return PydanticCustomError(RULE, "{rule}", {"rule": rule})


def rejected(title: str, findings: Sequence[Finding]) -> ValidationError:
    """The error for a validator to raise when it has whole sentences, or several, or places deeper than its own."""
    return ValidationError.from_exception_data(title, [_line(finding) for finding in findings])


def joined(title: str, error: ValidationError, findings: Iterable[Finding]) -> ValidationError:
    """The error for a validator to raise that has found more than the one inside it."""
    before = [
        InitErrorDetails(
            type=_as_raised(details), loc=details["loc"], input=details["input"], ctx=details.get("ctx", {})
        )
        for details in error.errors(include_url=False)
    ]
    return ValidationError.from_exception_data(title, [*before, *map(_line, findings)])


def _line(finding: Finding) -> InitErrorDetails:
    told = PydanticCustomError(SENTENCE, "{sentence}", {"sentence": finding.message})
    return InitErrorDetails(type=told, loc=finding.path, input=None)


def _as_raised(details: ErrorDetails) -> str | PydanticCustomError:
    """The type of an error as it was; pydantic knows its own by their names, but not ours."""
    kind, context = details["type"], details.get("ctx", {})
    names = {RULE: "rule", SENTENCE: "sentence"}
    return PydanticCustomError(kind, f"{{{names[kind]}}}", context) if kind in names else kind


def dotted(path: Sequence[str | int]) -> str:
    """``("lr", "choice", 1)`` as ``lr.choice[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def shown(value: Any) -> str:
    """A value as a sentence shows it: short, on one line, and telling text from number."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int | float):
        return "too large a number" if isinstance(value, int) and abs(value) >= 1e300 else str(value)
    text = repr(redact(str(value)))[1:-1]
    return f"`{text if len(text) <= 60 else text[:57] + '...'}`"
