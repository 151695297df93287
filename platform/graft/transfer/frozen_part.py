"""What of a backbone a strategy leaves as it was pretrained. No torch here: `graft plan` asks for it."""

from dataclasses import dataclass

from graft.models.info import cut_index
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class FrozenPart:
    """How a strategy divides the blocks of a backbone.

    Attributes:
        cut: blocks, counted from the input, that stay frozen; from 1 on the stem is frozen too.
        redrawn: how many of the last blocks start at random.
        stop: the pretrained blocks that train are ``cut … stop − 1``.
        views: stored augmentations of each sample that the frozen blocks see: 0 if samples are not augmented, None if
            they see new ones, or samples that are mixed anew, in every epoch.
    """

    cut: int
    redrawn: int
    stop: int
    views: int | None

    @property
    def is_constant(self) -> bool:
        """Whether what the frozen blocks give is worth being computed once."""
        return self.cut > 0 and self.views is not None


def frozen_part(strategy: Strategy, num_blocks: int) -> FrozenPart:
    """The division of a backbone of so many blocks."""
    redrawn = strategy.init.redrawn(num_blocks)
    # A mixed sample has another partner in every epoch.
    views = None if strategy.mix.is_active else strategy.augment.num_views
    end = num_blocks - redrawn
    cut, stop = strategy.tune.trained_blocks(cut_index(strategy.freeze, num_blocks, redrawn), end)
    return FrozenPart(cut, redrawn, stop, views)
