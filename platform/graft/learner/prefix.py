"""The frozen blocks of a strategy, as something that a search meets again. No torch here: `graft plan` asks for it."""

from dataclasses import dataclass

from graft.models.info import cut_index
from graft.spec.components import LightAugmentation
from graft.spec.strategy import Reinitialise, Strategy


@dataclass(frozen=True)
class Prefix:
    """Frozen blocks that a search may meet again and again.

    Attributes:
        backbone: name of the network.
        resolution: side of the images it sees.
        cut: blocks that are frozen, at least 1.
        views: stored augmentations of each image; 0 if images are not augmented.
    """

    backbone: str
    resolution: int
    cut: int
    views: int = 0


def prefix_of(strategy: Strategy, num_blocks: int) -> Prefix | None:
    """The frozen blocks of a strategy; None if there are none, or if they see new images in every epoch."""
    redrawn = strategy.init.blocks if isinstance(strategy.init, Reinitialise) else 0
    cut = cut_index(strategy.freeze, num_blocks, redrawn)
    views = num_views(strategy)
    if cut == 0 or views is None:
        return None
    return Prefix(strategy.backbone, strategy.resolution, cut, views)


def num_views(strategy: Strategy) -> int | None:
    """How many versions of an image there are: 0 if it is not augmented, None if there is no end of them."""
    light = strategy.augment
    if not isinstance(light, LightAugmentation) or light.magnitude == 0 or light.share == 0:
        return 0
    return light.views
