"""A backbone with a head: what is trained, and what a bundle holds."""

from torch import Tensor, nn

from graft.models.backbone import Backbone


class Classifier(nn.Module):
    """Images to class scores.

    Args:
        backbone: images [B, 3, H, W] to features [B, F].
        head: features [B, F] to logits [B, K].
    """

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, K] of normalised images [B, 3, H, W]."""
        logits: Tensor = self.head(self.backbone(images))
        return logits

    def above(self, features: Tensor, cut: int) -> Tensor:
        """Logits [B, K] of what ``backbone.below(images, cut)`` gives."""
        logits: Tensor = self.head(self.backbone.above(features, cut))
        return logits
