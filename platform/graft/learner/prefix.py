"""The frozen blocks of a strategy, as something that a search meets again. No torch here: `graft plan` asks for it."""

from dataclasses import dataclass, replace

from graft.core.storage import canonical_json
from graft.modalities.registry import build_modality
from graft.models.load import blocks_of, describe_backbone
from graft.spec.strategy import Strategy
from graft.transfer.frozen_part import frozen_part


@dataclass(frozen=True)
class Prefix:
    """Frozen blocks that a search may meet again and again.

    Attributes:
        backbone: name of the network.
        size: of its inputs, as their modality counts it (pixels a side, tokens).
        cut: blocks that are frozen, at least 1.
        views: stored augmentations of each sample; 0 if samples are not augmented.
        left_out: places of blocks below the cut that are left out of the backbone.
        pool: how features are pooled of a network that was edited, where no block is left above the cut.
        start: `strategy.init` as JSON where the weights are not the backbone's own; empty else.
    """

    backbone: str
    size: int
    cut: int
    views: int = 0
    left_out: tuple[int, ...] = ()
    pool: str = ""
    start: str = ""

    @property
    def places(self) -> tuple[int, ...]:
        """The frozen blocks, by their places in the whole backbone."""
        return tuple(place for place in range(self.cut + len(self.left_out)) if place not in self.left_out)

    def is_below(self, other: "Prefix") -> bool:
        """Whether another one is computed from what this one gives."""
        alike = replace(other, cut=self.cut, left_out=self.left_out, pool="") == self
        return alike and self._begins(other)

    def is_on_the_way_to(self, other: "Prefix") -> bool:
        """Whether the pass that computes pooled features of another one can pool what this one gives as well."""
        alike = replace(other, cut=self.cut, left_out=self.left_out, pool="own") == self
        return alike and other.pool in ("", "own") and self._begins(other)

    def _begins(self, other: "Prefix") -> bool:
        return self.cut < other.cut and other.places[: self.cut] == self.places


def prefix_of(strategy: Strategy) -> Prefix | None:
    """The frozen blocks of a strategy; None if there are none, or if they see new samples in every epoch.

    Raises:
        SpecError: there is no such backbone.
    """
    places = blocks_of(strategy.backbone, strategy.structure)
    part = frozen_part(strategy, len(places))
    return prefix_below(strategy, places, part.cut, part.views or 0) if part.is_constant else None


def prefix_below(strategy: Strategy, places: tuple[int, ...], cut: int, views: int) -> Prefix | None:
    """The first `cut` blocks of a strategy's backbone; None where no other strategy can have the same ones, or nothing
    is saved by keeping what they give.

    Args:
        strategy: with backbone, structure, start and size of inputs.
        places: of its blocks in the whole backbone.
        cut: how many of them, at least 1.
        views: stored augmentations of each sample; 0 if samples are not augmented.
    """
    info = describe_backbone(strategy.backbone)
    if not info.num_params:
        return None  # what has no weights is made faster than it is read, and is wide
    below = places[:cut]
    if len(set(below)) < len(below) or (strategy.structure.widen > 1 and below):
        return None  # copies of blocks, or wider ones: nobody else has them
    left_out = tuple(place for place in range(below[-1] + 1) if place not in below)
    is_edited = strategy.structure.pool != "own" or len(places) < info.num_blocks
    pool = strategy.structure.pool if is_edited and cut == len(places) else ""
    size = build_modality(info.modality).size(strategy)
    start = canonical_json(strategy.plain("init")) if strategy.init.weights else ""
    return Prefix(strategy.backbone, size, cut, views, left_out, pool, start)
