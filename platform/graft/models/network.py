"""A backbone with a head: what is trained, and what a bundle holds."""

from torch import Tensor, nn

from graft.models.backbone import Backbone
from graft.spec.strategy import Head, LinearHead, MlpHead


class Network(nn.Module):
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


def build_head(head: Head, in_features: int, num_classes: int) -> nn.Module:
    """A new head: features [B, in_features] to logits [B, num_classes].

    Its weights are drawn from torch's global generator. The layers do not depend on the dropout rate, so weights move
    between heads that differ only in it.

    Args:
        head: linear, or an MLP of `depth` hidden layers of `width` units with GELU.
        in_features: length of the feature vector.
        num_classes: number of scores.
    """
    if isinstance(head, LinearHead):
        return nn.Sequential(nn.Dropout(head.dropout), nn.Linear(in_features, num_classes))
    return nn.Sequential(*_mlp_layers(head, in_features, num_classes))


def _mlp_layers(head: MlpHead, in_features: int, num_classes: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Linear(in_features, head.width), nn.GELU()]
    for _ in range(head.depth - 1):
        layers += [nn.Dropout(head.dropout), nn.Linear(head.width, head.width), nn.GELU()]
    return [*layers, nn.Dropout(head.dropout), nn.Linear(head.width, num_classes)]
