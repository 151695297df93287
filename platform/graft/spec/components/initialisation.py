"""`strategy.init`: where the weights start."""

from typing import Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from graft.spec.base import Component, Share


class Initialisation(Component):
    """Where the weights start."""

    def redrawn(self, num_blocks: int) -> int:
        """How many of the last blocks start at random."""
        return 0

    @property
    def weights(self) -> str:
        """What the weights are, where they are not the backbone's own; models that differ in it share no weights."""
        return ""

    @property
    def map_shape(self) -> tuple[int, int] | None:
        """Length of the vectors that it maps features to, and hidden units of that map; None where it maps none."""
        return None


class Pretrained(Initialisation):
    """Start from the pretrained weights."""

    kind: Literal["pretrained"] = "pretrained"


class Reinitialise(Initialisation):
    """Start from the pretrained weights, with the last blocks drawn at random again."""

    kind: Literal["reinitialise"] = "reinitialise"
    blocks: int = Field(
        1, ge=1, le=100, description="How many of the last blocks start at random; they are never frozen."
    )

    def redrawn(self, num_blocks: int) -> int:
        """More than there are means all of them."""
        return min(self.blocks, num_blocks)


class FromSource(Initialisation):
    """Start from what somebody names; when a job begins it is settled which it is, for ever."""

    source: str = Field("", description="What the weights come from.")
    digest: str = Field("", pattern="^[0-9a-f]*$", description="Of the source; graft writes it when a job begins.")
    version: str = Field(
        "", description="Of the source, if it is a registered model: models:/NAME/3; graft writes it when a job begins."
    )

    @property
    def weights(self) -> str:
        """Source and digest."""
        return f"{self.source} {self.digest}".rstrip()

    @model_serializer(mode="wrap")
    def _written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The version came later: strategies without one are written as they were, so they are found again."""
        found: dict[str, Any] = handler(self)
        return found if self.version else {name: value for name, value in found.items() if name != "version"}


class Mapped(FromSource):
    """Start from the weights of another network: a larger or smaller one, a file, or the bundle of an earlier task."""

    kind: Literal["mapped"] = "mapped"
    source: str = Field(
        "", description="A backbone, a file of weights, a folder, a bundle, or models:/NAME (`graft zoo map`)."
    )
    min_coverage: Share = Field(0.5, description="Share of the backbone's parameters that the source must fill.")


class MetaLearned(FromSource):
    """Start from the pretrained weights, with a map on their features that was meta-learned (`graft meta-train`).

    The map stays as it is; the head is given what it makes of the features.
    """

    kind: Literal["meta"] = "meta"
    source: str = Field(
        "", description="Name of a meta-model of this home, its directory, or models:/NAME.meta@champion."
    )
    width: int = Field(0, ge=0, description="Length of its vectors; graft writes it when a job begins.")
    hidden: int = Field(0, ge=0, description="Hidden units of its map; graft writes it when a job begins.")

    @property
    def map_shape(self) -> tuple[int, int] | None:
        """As graft has written it."""
        return (self.width, self.hidden) if self.width else None
