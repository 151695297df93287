"""`strategy.structure.skip`: which residual blocks of a backbone are left out.

Everything is a share of the depth, so that one choice makes sense on any backbone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from graft.spec.base import Component

Part = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Depth:
    """The blocks of a backbone, as far as a strategy must know them.

    Attributes:
        num_blocks: of them.
        residual: places of those that give what they take in shape, so that the rest works without them; from 0; None
            if it is not known which.
        is_fixed: no block has a weight: whatever a strategy freezes, redraws or adapts, its head alone is trained.
        is_headless: its weights are known to come without the head that they were trained with.
    """

    num_blocks: int
    residual: tuple[int, ...] | None = None
    is_fixed: bool = False
    is_headless: bool = False


class SkipSpec(Component):
    """Which residual blocks are left out: those that give what they take in shape."""

    def left_out(self, residual: Sequence[int], depth: Depth) -> tuple[int, ...]:
        """Places of the blocks that are left out, in order.

        Args:
            residual: places of those that may be.
            depth: of the whole backbone.
        """
        return ()

    def simplest(self, residual: Sequence[int], depth: Depth) -> "SkipSpec":
        """The skip that leaves out the same blocks and is written in one way."""
        return self


class NoSkip(SkipSpec):
    """All blocks."""

    kind: Literal["none"] = "none"


class _ByShare(SkipSpec):
    """A share of the residual blocks, rounded to a number of them."""

    share: Part = Field(0.25, description="Share of the residual blocks, among those that are kept, that is left out.")

    def count(self, residual: Sequence[int]) -> int:
        """How many that is."""
        return round(self.share * len(residual))

    def simplest(self, residual: Sequence[int], depth: Depth) -> SkipSpec:
        """The share that the number of blocks is; none where it is none."""
        count = self.count(residual)
        return self.model_copy(update={"share": count / len(residual)}) if count else NoSkip()


class SpreadSkip(_ByShare):
    """A share of the residual blocks, evenly over the depth."""

    kind: Literal["spread"] = "spread"

    def left_out(self, residual: Sequence[int], depth: Depth) -> tuple[int, ...]:
        """The middle one of each of as many equal parts."""
        count = self.count(residual)
        return tuple(residual[(2 * part + 1) * len(residual) // (2 * count)] for part in range(count))


class DrawnSkip(_ByShare):
    """A share of the residual blocks, drawn at random; with one seed, a larger share leaves out more of the same."""

    kind: Literal["drawn"] = "drawn"
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Draws the order in which blocks are left out.")

    def left_out(self, residual: Sequence[int], depth: Depth) -> tuple[int, ...]:
        """The first of them in an order that depends on the seed and the backbone alone."""
        order = random.Random(self.seed).sample(range(depth.num_blocks), depth.num_blocks)
        among = set(residual)
        return tuple(sorted([place for place in order if place in among][: self.count(residual)]))

    def simplest(self, residual: Sequence[int], depth: Depth) -> SkipSpec:
        """All of them are all of them, whatever the seed."""
        found = super().simplest(residual, depth)
        everything = self.count(residual) == len(residual) > 0
        return SpreadSkip(share=1.0) if everything else found


class SkipAt(SkipSpec):
    """The residual blocks that are nearest to given depths."""

    kind: Literal["at"] = "at"
    depths: tuple[Part, ...] = Field(
        (0.5,),
        strict=False,
        min_length=1,
        max_length=100,
        description="Shares of the depth; the residual block nearest to each is left out.",
    )

    def left_out(self, residual: Sequence[int], depth: Depth) -> tuple[int, ...]:
        """Of two that are equally near, the first."""
        if not residual:
            return ()
        near = (min(residual, key=lambda place: abs(_middle(place, depth) - at)) for at in self.depths)
        return tuple(sorted(set(near)))

    def simplest(self, residual: Sequence[int], depth: Depth) -> SkipSpec:
        """The depths of the middles of these blocks."""
        places = self.left_out(residual, depth)
        return SkipAt(depths=tuple(_middle(place, depth) for place in places)) if places else NoSkip()


def _middle(place: int, depth: Depth) -> float:
    return (2 * place + 1) / (2 * depth.num_blocks)
