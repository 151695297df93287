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
    """

    kind: str
    severity: Severity
    count: int
    examples: tuple[str, ...]
    action: Action
    detail: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {**asdict(self), "examples": list(self.examples)}

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Finding":
        """The inverse of `to_dict`."""
        return cls(**{**raw, "examples": tuple(raw["examples"])})


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
        "or remove them, or set data.clean to what else is to be done"
    )
