"""`start` of a meta-training: what turns samples into vectors, frozen or learned over tasks."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from graft.spec.base import Component

Width = Annotated[int, Field(ge=1, le=8192)]
Channels = Annotated[int, Field(ge=1, le=1024)]


class StartSpec(Component):
    """A start; built from (spec, shapes of the views of a sample).

    Attributes:
        views: of a sample that it reads: ``features`` of a pretrained backbone, the sample itself (``raw``), or both.
    """

    views: ClassVar[tuple[str, ...]] = ("features",)

    @property
    def is_map(self) -> bool:
        """Whether it is a map on the features of a backbone, which any search can start from."""
        return False


class FrozenStart(StartSpec):
    """Features of the backbone as they are, centred and of length 1; nothing of it is learned."""

    kind: Literal["frozen"] = "frozen"
    built_by: ClassVar[str] = "graft.episodes.starts.build:frozen"


class MapStart(StartSpec):
    """A map on the backbone's features, learned over tasks: a metric."""

    kind: Literal["map"] = "map"
    built_by: ClassVar[str] = "graft.episodes.starts.build:feature_map"
    width: Width = Field(256, description="Length of the vectors that it gives.")
    hidden: Annotated[int, Field(ge=0, le=8192)] = Field(0, description="Units of a hidden layer; 0 is a linear map.")
    dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Of the features, in training.")

    @property
    def is_map(self) -> bool:
        """It is."""
        return True


class NetworkStart(StartSpec):
    """A small network on the samples themselves, learned over tasks from scratch."""

    kind: Literal["network"] = "network"
    built_by: ClassVar[str] = "graft.episodes.starts.build:network"
    views: ClassVar[tuple[str, ...]] = ("raw",)
    channels: Channels = Field(64, description="Of each layer.")


class BothStart(StartSpec):
    """A map on the backbone's features and a network of one's own, side by side."""

    kind: Literal["both"] = "both"
    built_by: ClassVar[str] = "graft.episodes.starts.build:both"
    views: ClassVar[tuple[str, ...]] = ("features", "raw")
    width: Width = Field(256, description="Length of the vectors of the map.")
    channels: Channels = Field(64, description="Of each layer of the network.")
    share: Annotated[float, Field(gt=0, lt=1)] = Field(0.5, description="Weight of the map's similarities.")
