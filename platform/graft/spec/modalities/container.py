"""What holds samples of any modality, as a job names it: tables, archives, libraries' own directories."""

from typing import Any, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.image import Flip, ImageSource
from graft.spec.modalities.side_columns import ColumnName
from graft.spec.modalities.text import TextSource


class ContainerSource(ImageSource, TextSource):
    """What every kind of container has: one of `text` and `image` says where in it the samples are."""

    text: ColumnName | None = Field(None, description="Column of the texts, if the samples are texts.")
    image: ColumnName | None = Field(
        None,
        description="Column of the images, if the samples are images: their files, where relative paths start at the "
        "table's directory, or their bytes.",
    )
    flip: Flip = Field("none", description="Mirror images that keep the label, for the augmentation to use.")

    @property
    def modality(self) -> str:
        """That of the samples."""
        return "text" if self.image is None else "image"

    @property
    def sample(self) -> str:
        """Column, ending or key of the samples."""
        return self.text or self.image or ""

    def decoding(self) -> dict[str, Any]:
        """The settings of its modality."""
        return TextSource.decoding(self) if self.image is None else ImageSource.decoding(self)

    @model_validator(mode="after")
    def _has_samples_of_one_modality(self) -> Self:
        findings = self._sample_findings() or self._strange_settings()
        if findings:
            raise rejected("data", findings)
        return self

    def _sample_findings(self) -> list[Finding]:
        if self.text is None and self.image is None:
            return [Finding((), "has no column of samples; name one, as `text: COLUMN` or `image: COLUMN`")]
        if self.text is not None and self.image is not None:
            told = "is named beside `text`, but the samples must be of one modality; remove one of the two"
            return [Finding(("image",), told)]
        return []

    def _strange_settings(self) -> list[Finding]:
        """Settings of the other modality: they would do nothing."""
        sort, names = (
            ("images", ("flip", "rotation", "max_pixels", "directory"))
            if self.image is None
            else ("texts", ("max_characters",))
        )
        return [
            Finding((name,), f"is a setting of {sort}, but the samples are in the column `{self.modality}`; remove it")
            for name in names
            if name in type(self).model_fields and getattr(self, name) != type(self).model_fields[name].default
        ]
