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


BACKBONES = ("efficientnet_lite0", "efficientnet_lite1")
SHARES = (1.0, 0.9, 0.75, 0.5)
RATES = (3e-3, 1e-2, 1e-3)

# Every combination once. The first four have every share and both backbones, so that a short run is a fair sample.
CANDIDATES = tuple(
    Candidate(f"t{number:02}", BACKBONES[(number + number // 4) % 2], SHARES[number % 4], RATES[number // 8])
    for number in range(24)
)
