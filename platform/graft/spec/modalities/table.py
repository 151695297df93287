"""Tables, as a job names them: a row for each sample, a column for each thing that is known of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.messages.rules import Finding
from graft.spec.modalities.container import ColumnName, ContainerSource
from graft.spec.modalities.data_path import DataPath

ColumnNames = Annotated[list[ColumnName], Field(min_length=1, max_length=256)]


class TableData(ContainerSource):
    """A table with a row for each sample: CSV, TSV, JSONL, Parquet, Feather or Arrow, told by its suffix.

    A column `split` with the values train, validation and test, where it is named, says what each row is for.
    """

    kind: Literal["table"] = "table"
    built_by: ClassVar[str] = "graft.modalities.table:list_table"
    drafted_by: ClassVar[str] = "graft.modalities.table_draft:draft_table"
    path: DataPath = Field(description="The file; a relative path starts at the job file's directory.")
    label: ColumnName | ColumnNames = Field(
        description="Column of the labels; several columns of numbers are several targets of regression."
    )
    split: ColumnName | None = Field(None, description="Column that says which split a row is for.")
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
    def used(self) -> tuple[str, ...]:
        """Columns that are named, that of the samples first."""
        named = (getattr(self, self.modality), *self.labels, self.split, self.group, self.time, self.weight)
        return tuple(name for name in named if name is not None)

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the labels."""
        return (self.label,) if isinstance(self.label, str) else tuple(self.label)

    def _sample_findings(self) -> list[Finding]:
        return super()._sample_findings() or self._rule_findings()

    def _rule_findings(self) -> list[Finding]:
        """What would decide about the splits is not there, or is two things."""
        rules = [rule for rule in ("group", "time") if getattr(self, rule) is not None]
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
