"""Tables, as a job names them: a row for each sample, a column for each thing that is known of it."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import LocalPath
from graft.spec.modalities.image import Flip, ImageSource
from graft.spec.modalities.text import TextSource

ColumnName = Annotated[str, Field(min_length=1, max_length=256)]
ColumnNames = Annotated[list[ColumnName], Field(min_length=1, max_length=256)]


class TableData(ImageSource, TextSource):
    """A table with a row for each sample: CSV, TSV, JSONL, Parquet, Feather or Arrow, told by its suffix.

    A column `split` with the values train, validation and test, where it is named, says what each row is for.
    """

    kind: Literal["table"] = "table"
    built_by: ClassVar[str] = "graft.modalities.table:list_table"
    drafted_by: ClassVar[str] = "graft.modalities.table_draft:draft_table"
    path: LocalPath = Field(description="The file; a relative path starts at the job file's directory.")
    text: ColumnName | None = Field(None, description="Column of the texts, if the samples are texts.")
    image: ColumnName | None = Field(
        None,
        description="Column of the image files, if the samples are images; relative paths start at the table's "
        "directory.",
    )
    label: ColumnName | ColumnNames = Field(
        description="Column of the labels; several columns of numbers are several targets of regression."
    )
    split: ColumnName | None = Field(None, description="Column that says which split a row is for.")
    flip: Flip = Field("none", description="Mirror images that keep the label, for the augmentation to use.")

    @property
    def modality(self) -> str:
        """That of the column of the samples."""
        return "text" if self.image is None else "image"

    @property
    def labels(self) -> tuple[str, ...]:
        """Columns of the labels."""
        return (self.label,) if isinstance(self.label, str) else tuple(self.label)

    def decoding(self) -> dict[str, Any]:
        """The settings of its modality."""
        return TextSource.decoding(self) if self.image is None else ImageSource.decoding(self)

    @model_validator(mode="after")
    def _has_samples_of_one_modality(self) -> Self:
        findings = self._column_findings() or self._strange_settings()
        if findings:
            raise rejected("data", findings)
        return self

    def _column_findings(self) -> list[Finding]:
        if self.text is None and self.image is None:
            return [Finding((), "has no column of samples; name one, as `text: COLUMN` or `image: COLUMN`")]
        if self.text is not None and self.image is not None:
            told = "is named beside `text`, but the samples must be of one modality; remove one of the two"
            return [Finding(("image",), told)]
        return []

    def _strange_settings(self) -> list[Finding]:
        """Settings of the other modality: they would do nothing."""
        sort, names = ("images", ("flip", "max_pixels")) if self.image is None else ("texts", ("max_characters",))
        return [
            Finding((name,), f"is a setting of {sort}, but the samples are in the column `{self.modality}`; remove it")
            for name in names
            if getattr(self, name) != type(self).model_fields[name].default
        ]
