"""Tables, as a job names them: a row for each sample, a column for each thing that is known of it."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.modalities.container import ContainerSource
from graft.spec.modalities.data_path import DataPath
from graft.spec.modalities.side_columns import ColumnName, SideColumns

ColumnNames = Annotated[list[ColumnName], Field(min_length=1, max_length=256)]


class TableData(ContainerSource, SideColumns):
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
    directory: DataPath | None = Field(
        None,
        description="Directory that the names of images start from. If left out: the table's own, or the one folder "
        "beside it that has files of these names, or of these names without their suffixes.",
    )
    split: ColumnName | None = Field(None, description="Column that says which split a row is for.")

    @property
    def used(self) -> tuple[str, ...]:
        """Columns that are named, that of the samples first."""
        named = (getattr(self, self.modality), *self.labels, self.split, *self.sides.values())
        return tuple(name for name in named if name is not None)

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the labels."""
        return (self.label,) if isinstance(self.label, str) else tuple(self.label)
