"""Standardised and selected features: an affine map in front of a head, with numbers that no gradient changes."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class FeatureScaling(nn.Module):
    """(x - mean) · scale. A feature that was not selected has the scale 0, so that shapes never depend on a selection.

    Args:
        num_features: length F of a feature vector.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, F] to [B, F]."""
        return (features - self.mean) * self.scale


class FeatureMapping(nn.Module):
    """A map that was meta-learned, in front of a head: W x of centred features x of length 1, of length 1 again.

    With hidden units it is two layers with ReLU between them. Its numbers are buffers: no gradient changes them.

    Args:
        num_features: length F of a feature vector.
        width: length of what it gives.
        hidden: units of a hidden layer; 0 is none.
    """

    mean: Tensor
    first: Tensor
    second: Tensor | None

    def __init__(self, num_features: int, width: int, hidden: int = 0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("first", torch.eye(hidden or width, num_features))
        self.register_buffer("second", torch.eye(width, hidden) if hidden else None)

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, F] to [B, width]."""
        mapped = functional.normalize(features - self.mean, dim=1) @ self.first.T
        mapped = mapped if self.second is None else functional.relu(mapped) @ self.second.T
        return functional.normalize(mapped, dim=1)


class CentredUnitLength(nn.Module):
    """(x - mean) / ‖x - mean‖, so that a linear layer behind it gives cosines.

    Args:
        num_features: length F of a feature vector.
    """

    mean: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))

    def forward(self, features: Tensor) -> Tensor:
        """Features [B, F] to [B, F]."""
        return functional.normalize(features - self.mean, dim=1)


def behind_scaling(head: nn.Module, num_features: int) -> nn.Module:
    """A head that is given scaled features."""
    return nn.Sequential(FeatureScaling(num_features), head)
