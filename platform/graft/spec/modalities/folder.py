"""Directories of labelled files, as a job names them."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import DataSpec, LocalPath


class FolderSource(DataSpec):
    """What every kind of directory with a folder for each class has."""

    task_hint: ClassVar[tuple[str, str] | None] = ("classification", "each folder is a class")
    path: LocalPath = Field(description="The directory; a relative path starts at the job file's directory.")
    layout: Literal["auto", "classes", "splits"] = Field(
        "auto",
        description="What the folders in it are: the classes, or the splits (train, val, test) with the classes "
        "inside; auto decides by their names, and refuses what could be either.",
    )
    ignore: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Names of files and folders that are left out, at any depth, such as `*_mask.png`; one with a "
        "slash is a path in the directory, such as `/extra`.",
    )

    @model_validator(mode="after")
    def _ignores_names(self) -> Self:
        findings = [
            Finding(("ignore", index), f"is `{name}`, but must be the name of a file or folder in data.path")
            for index, name in enumerate(self.ignore)
            if not name.strip("./") or "\0" in name or ".." in name.split("/")
        ]
        if findings:
            raise rejected("data", findings)
        return self
