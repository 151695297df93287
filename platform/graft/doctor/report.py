"""What an examination says, in the forms in which it is kept and handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graft.data.dataset import Quarantined
from graft.data.examination.finding import Finding
from graft.data.overview import Ignored

Preview = np.ndarray | str
"""Something to look at: uint8 [H, W, C], or a text."""


@dataclass(frozen=True)
class Report:
    """What is known of some data after they have been examined.

    Attributes:
        source: where they come from, for people.
        modality: kind of the samples.
        task: kind of the task that has read their labels.
        records: samples that were looked at, those that cannot be read included.
        splits: samples of each split.
        findings: the worst first.
        quarantine: samples that are left out, and why.
        ignored: files that are no samples by their names.
        seconds: that it took.
        previews: something to look at for the samples that findings name, by their names.
        notes: what else there is to say, a sentence each.
    """

    source: str
    modality: str
    task: str
    records: int
    splits: Mapping[str, int]
    findings: tuple[Finding, ...]
    quarantine: tuple[Quarantined, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    seconds: float = 0.0
    previews: Mapping[str, Preview] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def failing(self) -> tuple[Finding, ...]:
        """Findings that the user does not accept."""
        return tuple(one for one in self.findings if one.action == "fail")

    def in_short(self) -> dict[str, Any]:
        """What ``graft doctor --json`` prints."""
        return {
            "records": self.records,
            "findings": [one.in_short() for one in self.findings],
            "seconds": round(self.seconds, 3),
        }

    def to_dict(self) -> dict[str, Any]:
        """The content of ``doctor.json``: the same and more."""
        return {
            **self.in_short(),
            "findings": [one.to_dict() for one in self.findings],
            "source": self.source,
            "modality": self.modality,
            "task": self.task,
            "splits": dict(self.splits),
            "quarantine": quarantine_table(self.quarantine),
            "ignored": [one.to_dict() for one in self.ignored],
            "notes": list(self.notes),
        }


def quarantine_table(quarantine: Sequence[Quarantined]) -> list[dict[str, str]]:
    """A row for each sample that is left out."""
    return [{"sample": one.path, "kind": one.kind, "reason": one.reason} for one in quarantine]
