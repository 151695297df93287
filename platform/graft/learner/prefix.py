"""The frozen blocks of a strategy, as something that a search meets again. No torch here: `graft plan` asks for it."""

from dataclasses import dataclass

from graft.modalities.registry import build_modality
from graft.models.load import describe_backbone
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
    """

    backbone: str
    size: int
    cut: int
    views: int = 0


def prefix_of(strategy: Strategy) -> Prefix | None:
    """The frozen blocks of a strategy; None if there are none, or if they see new samples in every epoch.

    Raises:
        SpecError: there is no such backbone.
    """
    info = describe_backbone(strategy.backbone)
    part = frozen_part(strategy, info.num_blocks)
    if not part.is_constant:
        return None
    return Prefix(strategy.backbone, build_modality(info.modality).size(strategy), part.cut, part.views or 0)
