"""Directories of labelled files, as a job names them."""

import re
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.data_path import DataPath


class FolderSource(DataSpec):
    """What every kind of directory with a folder for each class has."""

    task_hint: ClassVar[tuple[str, str] | None] = ("classification", "each folder is a class")
    path: DataPath = Field(description="The directory; a relative path starts at the job file's directory.")
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

    group: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Regular expression with one group in parentheses, searched in the path of each file below `path`: "
        "what it holds is what the samples have in common (a patient, an artist), such as `/(patient\\d+)_`. No group "
        "gets samples in two of the splits that are drawn; a file that it does not match is a group of its own.",
    )

    @property
    def splits_by_label(self) -> bool:
        """Groups say more."""
        return self.group is None and super().splits_by_label

    @model_validator(mode="after")
    def _ignores_names(self) -> Self:
        findings = [
            Finding(("ignore", index), f"is `{name}`, but must be the name of a file or folder in data.path")
            for index, name in enumerate(self.ignore)
            if not name.strip("./") or "\0" in name or ".." in name.split("/")
        ]
        findings += self._group_findings()
        if findings:
            raise rejected("data", findings)
        return self

    def _group_findings(self) -> list[Finding]:
        if self.group is None:
            return []
        try:
            count = re.compile(self.group).groups
        except (re.error, RecursionError, OverflowError) as error:
            return [Finding(("group",), f"is `{self.group[:60]}`, but must be a regular expression ({error})")]
        if count != 1:
            told = f"has {count} groups in parentheses, but must have one; write others as (?:…)"
            return [Finding(("group",), told)]
        if self.split_by in ("label", "time"):
            told = f"is {self.split_by}, which would put samples of a `group` on both sides; leave one of the two out"
            return [Finding(("split_by",), told)]
        return []
