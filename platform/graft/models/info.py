"""What is known about a backbone before its weights are read. No torch here: `graft plan` asks for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol


class InputFacts(Protocol):
    """What a modality's facts about the input of a backbone tell of themselves."""

    @property
    def native_size(self) -> int:
        """What it was pretrained at, as its modality counts it: pixels a side, tokens."""

    @property
    def counted_size(self) -> int:
        """What its operations are counted at: what a sample usually has."""

    def to_dict(self) -> dict[str, Any]:
        """All of them as plain values: what is done to a sample before the network sees it."""


@dataclass(frozen=True)
class BackboneInfo:
    """The facts about a backbone that planning, preprocessing and display need.

    Attributes:
        name: the name it was asked by, such as ``efficientnet_lite0`` or ``timm:resnet18.a1_in1k``.
        architecture: ``<library>/<architecture>``; enough to build the network again without its weights.
        modality: kind of the modality whose samples it takes.
        num_blocks: blocks between stem and pool; what a frozen share is a share of.
        num_features: length of the feature vector.
        num_params: parameters of the backbone, without any head.
        input: what its modality must know to prepare samples for it; says so of itself as `InputFacts`.
        licence: licence of the weights, None when their source does not state one.
        source_head: whether the weights come with the head that they were trained with; None where only they tell.
    """

    name: str
    architecture: str
    modality: str
    num_blocks: int
    num_features: int
    num_params: int
    input: Any
    licence: str | None = None
    source_head: bool | None = None


def cut_index(freeze: float, num_blocks: int, reinitialised: int = 0) -> int:
    """The number of blocks, counted from the input, that stay frozen.

    0 freezes nothing; from 1 on the stem is frozen too; `num_blocks` leaves only the head. A border half-way between
    two blocks goes to the even one, as `round` does.

    Args:
        freeze: share of the depth, 0..1.
        num_blocks: blocks of the backbone.
        reinitialised: how many of the last blocks start at random; they are never frozen.

    Raises:
        ValueError: `freeze` is not a share, or a count is negative.
    """
    if not 0 <= freeze <= 1:
        raise ValueError(f"freeze is {freeze}, but must be between 0 and 1")
    if num_blocks < 0 or reinitialised < 0:
        raise ValueError(f"num_blocks {num_blocks} and reinitialised {reinitialised} must not be negative")
    return min(round(freeze * num_blocks), num_blocks - min(reinitialised, num_blocks))


def moved_shares(shares: Iterable[float], info: BackboneInfo) -> str:
    """Which frozen shares are not what was asked for, because they lie within a block; empty if there is none, and
    where nothing could train in any case.

    ``efficientnet_lite0 has 17 blocks: freeze 0.5 is 0.471 (8 of them)``.
    """
    if not info.num_params:
        return ""
    total = info.num_blocks
    borders = {share: cut_index(share, total) for share in shares}
    told = [
        f"freeze {share:g} is {border / total:.3f} ({border} of them)"
        for share, border in borders.items()
        if abs(border / total - share) >= 0.0005
    ]
    return f"{info.name} has {total} blocks: {', '.join(told)}" if told else ""
