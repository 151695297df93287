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
        x: Tensor = self.stem(images)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.pool(x)
        return features
