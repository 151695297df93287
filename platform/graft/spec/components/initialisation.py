"""`strategy.init`: where the weights start."""

from typing import Literal

from pydantic import Field

from graft.spec.base import Component


class Initialisation(Component):
    """Where the weights start."""

    def redrawn(self, num_blocks: int) -> int:
        """How many of the last blocks start at random."""
        return 0


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
