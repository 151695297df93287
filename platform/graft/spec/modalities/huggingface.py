"""Data sets of the Hugging Face library, as a job names them."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.container import ContainerSource
from graft.spec.modalities.data_path import DataPath
from graft.spec.modalities.side_columns import ColumnName, SideColumns


class HuggingFaceData(ContainerSource, SideColumns):
    """A data set of the library `datasets`: a directory that `save_to_disk` has left, or a name on the hub.

    Splits come with the set; names of classes, too.
    """

    kind: Literal["huggingface"] = "huggingface"
    built_by: ClassVar[str] = "graft.modalities.containers.listing:list_container"
    drafted_by: ClassVar[str] = "graft.modalities.containers.huggingface_draft:draft_huggingface"
    path: DataPath | None = Field(
        None,
        description="Directory that `save_to_disk` has left; a relative path starts at the job file's directory.",
    )
    name: ColumnName | None = Field(
        None, description="Name of a set on the hub, such as beans or user/set; fetched by the library datasets."
    )
    config: ColumnName | None = Field(None, description="Which configuration of a set on the hub.")
    revision: ColumnName | None = Field(None, description="Which version of a set on the hub: a tag or a commit.")
    label: ColumnName = Field("label", description="Column of the labels.")

    @property
    def told(self) -> str:
        """The set, for messages."""
        return str(self.path or self.name)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        findings = []
        if (self.path is None) == (self.name is None):
            both = "are both given" if self.path else "are both missing"
            findings.append(Finding((), f"`path` and `name` {both}, but one must say where the set is; give one"))
        for key in ("config", "revision"):
            if self.name is None and getattr(self, key) is not None:
                findings.append(Finding((key,), "belongs to a set on the hub, but there is no `name`; remove it"))
        if self.label == self.sample:
            findings.append(Finding(("label",), f"is `{self.label}`, which is the column of the samples; name another"))
        if findings:
            raise rejected("data", findings)
        return self
