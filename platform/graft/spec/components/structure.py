"""`strategy.structure`: which blocks of a backbone there are, and how what they give becomes features.

Everything is a share of the depth, so that one structure makes sense on any backbone.
"""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import Field

from graft.spec.base import Share, Spec
from graft.spec.components.skip import Depth, NoSkip, Part, SkipSpec
from graft.spec.registry import union

Pooling = Literal["own", "avg", "max", "avg_max", "gem"]

if TYPE_CHECKING:
    Skip: TypeAlias = SkipSpec
else:
    Skip = union("skip")


class Structure(Spec):
    """Which blocks there are, how wide they are inside, and how what the last one gives becomes features."""

    keep: Part = Field(
        1.0, description="Share of the blocks that is kept, counted from the input; what follows is dropped."
    )
    skip: Skip = Field(NoSkip(), description="Which residual blocks are left out besides.")
    deepen: Share = Field(
        0.0,
        description="Share of the residual blocks behind each of which a copy is put that changes nothing at first.",
    )
    widen: Annotated[float, Field(ge=1, le=8)] = Field(
        1.0, description="Factor by which the inner width of every block grows, without a change of the function."
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
        told += [f"widen={self.widen:.3g}"] if self.widen > 1 else []
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
