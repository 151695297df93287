"""The fixed list of strategies that all variants train: written by hand, so that no sampler can favour anyone."""

from dataclasses import asdict, dataclass
from typing import Any

from graft.models.info import cut_index
from graft.models.load import describe_backbone
from graft.spec.strategy import Strategy

RESOLUTION = 32


@dataclass(frozen=True)
class Candidate:
    """One strategy, by what tells it from the others; all else is graft's default, which `plain` repeats."""

    name: str
    backbone: str
    freeze: float
    lr: float

    def strategy(self) -> Strategy:
        """The same as graft's proposers would give it out."""
        strategy = Strategy(backbone=self.backbone, freeze=self.freeze, lr=self.lr, resolution=RESOLUTION)
        return strategy.canonical(describe_backbone(self.backbone).num_blocks)

    def config(self) -> dict[str, Any]:
        """The same as plain values, with the cut as a number of blocks."""
        return {**asdict(self), "cut": cut_index(self.freeze, describe_backbone(self.backbone).num_blocks)}


# Any first few of them mix both backbones and shallow with deep cuts, so that a short run is a fair sample.
CANDIDATES = (
    Candidate("t01", "efficientnet_lite0", 0.75, 3e-3),
    Candidate("t02", "efficientnet_lite1", 1.0, 1e-2),
    Candidate("t03", "efficientnet_lite0", 0.0, 1e-3),
    Candidate("t04", "efficientnet_lite1", 0.5, 2e-3),
    Candidate("t05", "efficientnet_lite0", 1.0, 5e-3),
    Candidate("t06", "efficientnet_lite1", 0.75, 5e-3),
    Candidate("t07", "efficientnet_lite0", 0.5, 2e-3),
    Candidate("t08", "efficientnet_lite1", 0.0, 1e-3),
    Candidate("t09", "efficientnet_lite0", 0.75, 1e-2),
    Candidate("t10", "efficientnet_lite1", 0.5, 5e-3),
    Candidate("t11", "efficientnet_lite0", 0.0, 3e-3),
    Candidate("t12", "efficientnet_lite1", 1.0, 2e-2),
)
