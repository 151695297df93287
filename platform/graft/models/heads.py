"""What turns features into class scores."""

from torch import nn

from graft.spec.strategy import Head, LinearHead, MlpHead


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
