"""`strategy.structure`: which blocks of a backbone there are, and how what they give becomes features.

Everything is a share of the depth, so that one structure makes sense on any backbone.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from graft.spec.base import Component, Share, Spec
from graft.spec.registry import union

Part = Annotated[float, Field(gt=0, le=1)]
Pooling = Literal["own", "avg", "max", "avg_max", "gem"]


@dataclass(frozen=True)
class Depth:
    """The blocks of a backbone, as far as a structure must know them.

    Attributes:
        num_blocks: of them.
        residual: places of those that give what they take in shape, so that the rest works without them; from 0; None
            if it is not known which.
    """

    num_blocks: int
    residual: tuple[int, ...] | None = None


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


if TYPE_CHECKING:
    Skip: TypeAlias = SkipSpec
else:
    Skip = union("skip")


class Structure(Spec):
    """Which blocks there are, and how what the last one gives becomes features."""

    keep: Part = Field(
        1.0, description="Share of the blocks that is kept, counted from the input; what follows is dropped."
    )
    skip: Skip = Field(NoSkip(), description="Which residual blocks are left out besides.")
    deepen: Share = Field(
        0.0,
        description="Share of the residual blocks behind each of which a copy is put that changes nothing at first.",
    )
    pool: Pooling = Field(
        "own", description="How the last block's maps or states become features; own: as the backbone does it."
    )

    @property
    def skips(self) -> bool:
        """Whether blocks are left out among those that are kept."""
        return not isinstance(self.skip, NoSkip)

    @property
    def asks_for_residual(self) -> bool:
        """Whether it must be known which blocks are residual ones."""
        return self.skips or self.deepen > 0

    def kept(self, num_blocks: int) -> int:
        """How many blocks, counted from the input, are kept; one at least. Those that are left out count."""
        return max(1, round(self.keep * num_blocks))

    def blocks(self, depth: Depth) -> tuple[int, ...]:
        """Places, in the whole backbone, of the blocks that there are; one that is followed by a copy is there twice.

        Raises:
            ValueError: some are left out or copied, and `depth` does not say which can be.
        """
        twice = set(self._copied(depth))
        return tuple(place for place in self._left(depth) for _ in range(1 + (place in twice)))

    def simplest(self, depth: Depth) -> "Structure":
        """The structure that leaves the same blocks and is written in one way."""
        keep = self.kept(depth.num_blocks) / depth.num_blocks
        if depth.residual is None:
            return self.model_copy(update={"keep": keep})
        skip = self.skip.simplest(self._residual(depth), depth)
        candidates = len(self._deepened(depth))
        deepen = len(self._copied(depth)) / candidates if candidates else 0.0
        return self.model_copy(update={"keep": keep, "skip": skip, "deepen": deepen})

    def label(self) -> list[str]:
        """What tells it from the whole backbone at a glance."""
        told = [f"keep={self.keep:.3g}"] if self.keep < 1 else []
        if self.skips:
            values = (value for name, value in self.skip.model_dump().items() if name != "kind")
            told.append(" ".join([f"skip={self.skip.kind}", *(_short(value) for value in values)]).replace(" ", ":"))
        told += [f"deepen={self.deepen:.3g}"] if self.deepen else []
        return [*told, *([f"pool={self.pool}"] if self.pool != "own" else [])]

    def _left(self, depth: Depth) -> tuple[int, ...]:
        kept = self.kept(depth.num_blocks)
        gone = set(self.skip.left_out(self._residual(depth), depth))
        return tuple(place for place in range(kept) if place not in gone)

    def _deepened(self, depth: Depth) -> tuple[int, ...]:
        """Residual blocks that there are, each of which can have a copy."""
        return tuple(place for place in self._left(depth) if place in (depth.residual or ()))

    def _copied(self, depth: Depth) -> tuple[int, ...]:
        if not self.deepen:
            return ()
        if depth.residual is None:
            raise ValueError("blocks are copied, but it is not known which can be")
        candidates = self._deepened(depth)
        count = round(self.deepen * len(candidates))
        return tuple(candidates[(2 * part + 1) * len(candidates) // (2 * count)] for part in range(count))

    def _residual(self, depth: Depth) -> tuple[int, ...]:
        """What may be left out of the blocks that are kept: never all of them."""
        if not self.skips:
            return ()
        if depth.residual is None:
            raise ValueError("blocks are left out, but it is not known which can be")
        kept = self.kept(depth.num_blocks)
        found = tuple(place for place in depth.residual if place < kept)
        return found if len(found) < kept else found[1:]


def _short(value: object) -> str:
    if isinstance(value, tuple | list):
        return ",".join(map(_short, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
