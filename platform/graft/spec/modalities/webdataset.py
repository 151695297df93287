"""WebDataset shards, as a job names them."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from graft.spec.messages.rules import Finding, rejected
from graft.spec.modalities.container import ContainerSource
from graft.spec.modalities.data_path import DataPath
from graft.spec.modalities.label_names import NumberedLabels
from graft.spec.modalities.side_columns import ColumnName


class WebDatasetData(ContainerSource, NumberedLabels):
    """Tar archives in which the members ``key.jpg``, ``key.cls``, … together are a sample (the WebDataset format).

    `text` or `image` is the ending of the members that hold the samples; several are separated as in
    ``image: jpg;png``.
    """

    kind: Literal["webdataset"] = "webdataset"
    built_by: ClassVar[str] = "graft.modalities.containers.listing:list_container"
    drafted_by: ClassVar[str] = "graft.modalities.containers.webdataset_draft:draft_webdataset"
    path: DataPath = Field(
        description="A shard, a directory of shards, or a pattern such as train-{0000..0063}.tar or shards/*.tar; a "
        "relative path starts at the job file's directory."
    )
    label: ColumnName = Field(
        "cls", description="Ending of the members that hold the labels, such as cls, txt or json."
    )
    key: ColumnName | None = Field(
        None, description="Key of the label, where its members hold JSON objects; one inside another is a.b."
    )
    split: Literal["names", "none"] = Field(
        "names",
        description="What says which split a sample is for: the names of shards and of their directories, such as "
        "train-0001.tar; or nothing.",
    )

    @model_validator(mode="after")
    def _has_members_that_differ(self) -> Self:
        endings = [part.strip().lower() for part in self.sample.split(";")]
        findings = [Finding((self.modality,), "is no ending; write it without the dot, such as jpg")] * ("" in endings)
        if self.label.lower() in endings:
            told = f"is `{self.label}`, which is the ending of the samples; labels must be in members of their own"
            findings.append(Finding(("label",), told))
        if findings:
            raise rejected("data", findings)
        return self
