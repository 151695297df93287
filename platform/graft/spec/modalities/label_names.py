"""Labels that a source keeps as numbers, and their names."""

from typing import Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import DataSpec


class NumberedLabels(DataSpec):
    """What every kind of data has whose labels are numbers that a job can name."""

    classes: tuple[str, ...] | None = Field(
        None, strict=False, description="Names of the labels 0, 1, 2, …; the numbers themselves if left out."
    )

    @property
    def label_names(self) -> tuple[str, ...] | None:
        """Names of the labels 0, 1, 2, …"""
        return self.classes

    @model_validator(mode="after")
    def _has_names_that_differ(self) -> Self:
        names = self.classes or ()
        findings = [
            Finding(("classes", index), f"is `{name}`, which is in the list already; class names must differ")
            for index, name in enumerate(names)
            if name in names[:index]
        ]
        if len(names) == 1:
            findings.append(Finding(("classes",), "has 1 name, but must have at least 2"))
        if findings:
            raise rejected("data", findings)
        return self
