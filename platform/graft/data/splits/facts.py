"""What is told of how samples were divided; without numpy, because a look at the data tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.data.splits.names import SplitName
from graft.spec.modalities.base import SplitRule

_TOLD_BY: Mapping[SplitRule, str] = {
    "group": "whole groups",
    "time": "the newest for the test, before them validation",
    "hash": "a digest of each sample, so that appended ones move no other",
}


@dataclass(frozen=True)
class SplitFacts:
    """How samples were divided.

    Attributes:
        by: the rule of the splits that were drawn.
        groups: how many groups each split has, where the samples have groups.
        borders: the first time of each split that was drawn by time.
        notes: what did not come out as asked, in sentences.
    """

    by: SplitRule = "label"
    groups: Mapping[SplitName, int] = field(default_factory=dict)
    borders: Mapping[SplitName, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "by": self.by,
            "groups": dict(self.groups),
            "borders": dict(self.borders),
            "notes": list(self.notes),
        }

    def lines(self) -> list[tuple[str, str]]:
        """The same for people; nothing where splits are as they always were."""
        lines = [("split by", f"{self.by}: {_TOLD_BY[self.by]}")] if self.by in _TOLD_BY else []
        if self.groups:
            lines.append(("groups", ", ".join(f"{count:,} {name}" for name, count in self.groups.items())))
        if self.borders:
            lines.append(("borders", ", ".join(f"{name} from {time}" for name, time in self.borders.items())))
        return lines + [("note", note) for note in self.notes]


BY_LABEL = SplitFacts()
"""Each label in proportion, as splits have always been drawn."""
