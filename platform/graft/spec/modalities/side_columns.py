"""What a source says of a sample beside its label: group, time and weight, as a job names them."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import DataSpec

ColumnName = Annotated[str, Field(min_length=1, max_length=256)]


class SideColumns(DataSpec):
    """What every kind of data has whose samples are rows with named columns."""

    group: ColumnName | None = Field(
        None,
        description="Column of what samples have in common that must not be learnt by heart: a patient, an artist, a "
        "device. No group gets samples in two of the splits that are drawn; a row without one is a group of its own.",
    )
    time: ColumnName | None = Field(
        None, description="Column of when a sample was made: numbers, or dates as ISO 8601 writes them (2024-05-31)."
    )
    weight: ColumnName | None = Field(
        None, description="Column of how much a sample counts in the training loss: numbers from 0, not all of them 0."
    )

    @property
    def sides(self) -> Mapping[str, str]:
        """The columns that are named, by what they say."""
        named = {"group": self.group, "time": self.time, "weight": self.weight}
        return {role: name for role, name in named.items() if name is not None}

    @property
    def splits_by_label(self) -> bool:
        """Not where groups or times decide."""
        return self.group is None and self.time is None and super().splits_by_label

    @model_validator(mode="after")
    def _has_one_rule(self) -> Self:
        findings = self._rule_findings()
        if findings:
            raise rejected("data", findings)
        return self

    def _rule_findings(self) -> list[Finding]:
        """What would decide about the splits is not there, or is two things."""
        rules = [rule for rule in ("group", "time") if rule in self.sides]
        if self.split_by is None and len(rules) == 2:
            told = "must say what decides about the splits, for `group` and `time` are both named; name one of them"
            return [Finding(("split_by",), told)]
        if self.split_by in ("group", "time") and self.split_by not in rules:
            told = f"is {self.split_by}, but no column is; name one, as `{self.split_by}: COLUMN`"
            return [Finding(("split_by",), told)]
        if self.group is not None and self.split_by in ("label", "time"):
            told = f"is {self.split_by}, which would put samples of a `group` on both sides; leave one of the two out"
            return [Finding(("split_by",), told)]
        return []
