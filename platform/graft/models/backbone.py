"""The one form every pretrained network is brought into: stem, ordered blocks, pool."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.models.info import BackboneInfo, cut_index

__all__ = ["Backbone", "BackboneInfo", "Hidden", "Masked", "cut_index"]


class Masked(NamedTuple):
    """Activations of sequences of several lengths.

    Attributes:
        states: float [B, L, D].
        mask: bool [B, L], true where a position holds something.
    """

    states: Tensor
    mask: Tensor


Hidden = Tensor | Masked
"""What lies between two blocks."""


class Backbone(nn.Module):
    """A pretrained network as ``pool(block_n(… block_1(stem(x))))``.

    What a block takes is what the block before it gives, so the network can be cut, frozen or cached at any border. The
    stem holds everything before the first block (for a vision transformer also its position embedding); whatever
    follows the last repeated block and has parameters is itself the last block; the pool has no parameters.

    Args:
        stem: from a batch, or one tensor of it, to what the first block takes.
        blocks: in the order of the forward pass.
        pool: from what the last block gives to [B, num_features].
        num_features: length of the feature vector.
        field: name of the one tensor of a batch that the stem takes; None gives it the whole batch.
        pool_between: what pools where the network ends with another block than its last; None: the pool does.
        width_last: what lies between two blocks has its features in the last dimension, also where it has four.
    """

    def __init__(
        self,
        stem: nn.Module,
        blocks: Iterable[nn.Module],
        pool: nn.Module,
        num_features: int,
        field: str | None = None,
        pool_between: nn.Module | None = None,
        width_last: bool = False,
    ) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.pool = pool
        self.num_features = num_features
        self.field = field
        self.pool_between = pool_between
        self.width_last = width_last

    @property
    def is_sequential(self) -> bool:
        """Whether what lies between two blocks is `Masked`."""
        return False

    def forward(self, batch: Mapping[str, Tensor] | Tensor) -> Tensor:
        """Features [B, num_features] of a batch, or of the one tensor that the stem takes."""
        return self.above(self.begin(batch), 0)

    def begin(self, batch: Mapping[str, Tensor] | Tensor) -> Hidden:
        """What the stem gives."""
        is_tensor = isinstance(batch, Tensor) or self.field is None
        given: Hidden = self.stem(batch if is_tensor else batch[self.field])  # type: ignore[index]
        return given

    def below(self, batch: Mapping[str, Tensor] | Tensor, cut: int) -> Hidden:
        """What the stem and the first `cut` blocks give; with all blocks, the features [B, num_features]."""
        return self.between(self.begin(batch), 0, cut)

    def between(self, hidden: Hidden, start: int, stop: int) -> Hidden:
        """What blocks `start` up to `stop` make of what those before them give; the pool follows the last one."""
        hidden = self.through(hidden, list(self.blocks[start:stop]))
        given: Hidden = self.pool(hidden) if stop == len(self.blocks) else hidden
        return given

    def pooled_between(self, hidden: Hidden, start: int, cuts: Sequence[int]) -> list[Tensor]:
        """Features at several depths from what blocks before `start` give, in one pass.

        Args:
            hidden: what the first `start` blocks give.
            start: how many blocks that were.
            cuts: rising, from `start` on; each before the last block gives what a network would that ended there.

        Returns:
            float [B, width] for each cut.
        """
        between, found = self.pool_between or self.pool, []
        for cut in cuts:
            hidden = self.through(hidden, list(self.blocks[start:cut]))
            start = cut
            found.append(self.pool(hidden) if cut == len(self.blocks) else between(hidden))
        return found

    def above(self, hidden: Hidden, cut: int) -> Tensor:
        """Features [B, num_features] from what `below` gives for the same cut; the inverse of cutting there."""
        given = hidden if cut and cut == len(self.blocks) else self.between(hidden, cut, len(self.blocks))
        assert isinstance(given, Tensor), "the pool gives one vector a sample"
        return given

    def through(self, hidden: Hidden, blocks: Sequence[nn.Module]) -> Hidden:
        """What some blocks that follow each other make of what those before them give."""
        for block in blocks:
            hidden = block(hidden)
        return hidden


def packed(hidden: Hidden, length: int | None = None) -> Tensor:
    """Activations as one float tensor of a shape that does not depend on the batch, so that they can be stored.

    Args:
        hidden: of any cut.
        length: positions that sequences are filled up to; None leaves them.

    Returns:
        A tensor as it is; sequences as [B, length, D + 1], their mask as the last channel.
    """
    if isinstance(hidden, Tensor):
        return hidden
    together = torch.cat([hidden.states, hidden.mask[..., None].to(hidden.states.dtype)], dim=2)
    missing = 0 if length is None else length - together.shape[1]
    return functional.pad(together, (0, 0, 0, missing)) if missing > 0 else together


def unpacked(stored: Tensor, is_sequence: bool) -> Hidden:
    """The inverse of `packed`, without the positions that no sample of the batch uses."""
    if not is_sequence:
        return stored
    mask = stored[..., -1] > 0.5
    ends = mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)
    used = max(int(ends.max()), 1)
    return Masked(stored[:, :used, :-1].contiguous(), mask[:, :used])
