"""What a user is told of an examination."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from graft.core.errors import DataError
from graft.spec.checks.base import Action, Severity


@dataclass(frozen=True)
class Finding:
    """What a user is told of one kind.

    Attributes:
        kind: of the documented list.
        severity: how bad it is.
        count: how many samples, classes or columns.
        examples: names of the first few.
        action: what is done about them.
        detail: what else there is to say, in a sentence; empty if nothing.
        reasons: what is wrong with each of the examples, to fit behind its name; empty if there is no more to say.
        twins: the sample that each of the examples is like, empty if it is like none.
    """

    kind: str
    severity: Severity
    count: int
    examples: tuple[str, ...]
    action: Action
    detail: str = ""
    reasons: tuple[str, ...] = ()
    twins: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def in_short(self) -> dict[str, Any]:
        """As ``graft doctor --json`` and journals have it."""
        return {name: self.to_dict()[name] for name in ("kind", "severity", "count", "examples", "action")}

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Finding":
        """The inverse of `to_dict`."""
        known = {name: value for name, value in raw.items() if name in cls.__dataclass_fields__}
        given: dict[str, Any] = {name: tuple(one) if isinstance(one, list) else one for name, one in known.items()}
        return cls(**given)


def check_findings(findings: Sequence[Finding]) -> None:
    """Check that no finding is one that the user does not accept.

    Raises:
        DataError: one is; it names the first few samples.
    """
    failing = [one for one in findings if one.action == "fail"]
    if not failing:
        return
    first = failing[0]
    others = f" (and {', '.join(one.kind for one in failing[1:])})" if len(failing) > 1 else ""
    named = ", ".join(first.examples[:3])
    raise DataError(
        f"the data have {first.count} findings of kind {first.kind}{others}, but data.clean says fail: {named}; repair "
        "or remove them, or set data.clean to what else is to be done (`graft doctor` shows them all)"
    )
