"""What became of every tensor when weights were mapped from one network to another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_NAMED = 4


@dataclass(frozen=True)
class Transplanted:
    """The report of a mapping. Each name of the target is in one of the first three lists, each of the source that no
    target took in the last.

    Attributes:
        rule: how pairs were found.
        matched: target names that were filled as they are.
        reshaped: target names that were filled with something changed or grown.
        missing: target names that keep the network's own values.
        unexpected: source names that were not used.
        coverage: percent of the target's parameters that come from the source.
        how: of each reshaped name, what was done.
        notes: where a larger network does not compute what the smaller one did, and why.
    """

    rule: str
    matched: tuple[str, ...]
    reshaped: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    coverage: float
    how: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "rule": self.rule,
            "matched": list(self.matched),
            "reshaped": list(self.reshaped),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
            "coverage": round(self.coverage, 2),
            "how": dict(self.how),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        counts = ", ".join(
            f"{len(keys)} {what}{f' ({_some(keys)})' if keys and what != 'matched' else ''}"
            for what, keys in (
                ("matched", self.matched),
                ("reshaped", self.reshaped),
                ("missing", self.missing),
                ("unexpected", self.unexpected),
            )
        )
        return f"by {self.rule}: {self.coverage:.1f} % of the parameters; {counts}"


def _some(keys: tuple[str, ...]) -> str:
    more = len(keys) - _NAMED
    return ", ".join(keys[:_NAMED]) + (f", … {more} more" if more > 0 else "")
