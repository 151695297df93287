"""The fixed lists of strategies that all variants train: written by hand, so that no sampler can favour anyone."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from graft.models.info import cut_index
from graft.models.load import describe_backbone
from graft.spec.strategy import Strategy

RESOLUTION = 32
MAX_TOKENS = 64
"""Of texts, in the scripts."""


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
        """The same as plain values, with the cut as a number of blocks, and whether it is for texts."""
        info = describe_backbone(self.backbone)
        return {**asdict(self), "cut": cut_index(self.freeze, info.num_blocks), "is_text": info.modality == "text"}


BACKBONES = ("efficientnet_lite0", "efficientnet_lite1")
SHARES = (1.0, 0.9, 0.75, 0.5)
RATES = (3e-3, 1e-2, 1e-3)

# Every combination once. The first four have every share and both backbones, so that a short run is a fair sample.
CANDIDATES = tuple(
    Candidate(f"t{number:02}", BACKBONES[(number + number // 4) % 2], SHARES[number % 4], RATES[number // 8])
    for number in range(24)
)

# The same for texts, with as many learning rates as make a list of that length.
_TEXT_BACKBONE, _TEXT_SHARES = "minilm_l6", (1.0, 5 / 6, 2 / 3, 0.5)
_TEXT_RATES = (1e-3, 3e-3, 3e-4, 1e-2, 1e-4, 3e-5)
TEXT_CANDIDATES = tuple(
    Candidate(f"t{number:02}", _TEXT_BACKBONE, _TEXT_SHARES[number % 4], _TEXT_RATES[number // 4])
    for number in range(24)
)


def candidates_for(data: Mapping[str, Any]) -> tuple[Candidate, ...]:
    """The list for the `data` of a job."""
    return TEXT_CANDIDATES if "text" in data else CANDIDATES


def space_for(data: Mapping[str, Any]) -> dict[str, Any]:
    """The strategies of a job that a user would write for such a search."""
    some = candidates_for(data)
    space = {key: {"choice": sorted({getattr(one, key) for one in some})} for key in ("backbone", "freeze")}
    rates = [one.lr for one in some]
    size = {"max_tokens": MAX_TOKENS} if "text" in data else {"resolution": RESOLUTION}
    return {**space, "lr": {"loguniform": [min(rates), max(rates)]}, **size}
