"""The one form every pretrained network is brought into: stem, ordered blocks, pool."""

from collections.abc import Iterable

from torch import Tensor, nn

from graft.models.info import BackboneInfo, cut_index

__all__ = ["Backbone", "BackboneInfo", "cut_index"]


class Backbone(nn.Module):
    """A pretrained network as ``pool(block_n(… block_1(stem(x))))``.

    Each block takes one tensor and gives one, so the network can be cut, frozen or cached at any border. The stem holds
    everything before the first block (for a vision transformer also its position embedding); whatever follows the last
    repeated block and has parameters is itself the last block; the pool has no parameters.

    Args:
        stem: from images [B, 3, H, W] to what the first block takes.
        blocks: in the order of the forward pass.
        pool: from what the last block gives to [B, num_features].
        num_features: length of the feature vector.
    """

    def __init__(self, stem: nn.Module, blocks: Iterable[nn.Module], pool: nn.Module, num_features: int) -> None:
        super().__init__()
        self.stem = stem
        self.blocks = nn.ModuleList(blocks)
        self.pool = pool
        self.num_features = num_features

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, num_features] of normalised images [B, 3, H, W]."""
        return self.above(self.stem(images), 0)

    def below(self, images: Tensor, cut: int) -> Tensor:
        """What the stem and the first `cut` blocks give; with all blocks, the features [B, num_features]."""
        return self.between(self.stem(images), 0, cut)

    def between(self, x: Tensor, start: int, stop: int) -> Tensor:
        """What blocks `start` up to `stop` make of what those before them give; the pool follows the last one."""
        for block in self.blocks[start:stop]:
            x = block(x)
        given: Tensor = self.pool(x) if stop == len(self.blocks) else x
        return given

    def above(self, x: Tensor, cut: int) -> Tensor:
        """Features [B, num_features] from what `below` gives for the same cut; the inverse of cutting there."""
        return x if cut and cut == len(self.blocks) else self.between(x, cut, len(self.blocks))
