"""A map on frozen features, learned over tasks: a meta-learned metric."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from graft.episodes.samples import FEATURES, Inputs
from graft.episodes.starts.frozen import FrozenFeatures
from graft.episodes.starts.protocol import Moments, Start


class FeatureMap(Start):
    """W x of centred features x of length 1, of length 1 again; or the same with one hidden layer.

    Trained on episodes as prototypical networks are (Snell, Swersky & Zemel, NeurIPS 2017, whose f_φ it is). It starts
    as an orthogonal projection, which nearly keeps the metric that it is to improve.

    Args:
        features: length F of a feature vector.
        width: length D of what it gives.
        hidden: units of a hidden layer with ReLU; 0 is none.
        dropout: of the features, in training.
        view: that it reads.
    """

    def __init__(
        self, features: int, width: int = 256, hidden: int = 0, dropout: float = 0.0, view: str = FEATURES
    ) -> None:
        super().__init__()
        self.width, self.views = width, (view,)
        self.centring = FrozenFeatures(features, view)
        self.dropout = nn.Dropout(dropout)
        sizes = [features, hidden, width] if hidden else [features, width]
        layers: list[nn.Module] = []
        for one, other in pairwise(sizes):
            layers += [nn.ReLU()] if layers else []
            layers.append(nn.Linear(one, other, bias=False))
            nn.init.orthogonal_(layers[-1].weight)  # type: ignore[arg-type]
        self.map = nn.Sequential(*layers)

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """Vectors [n, D] of length 1."""
        return functional.normalize(self.map(self.dropout(self.centring(inputs)[0])), dim=-1), ()

    @torch.no_grad()
    def settle(self, inputs: Inputs) -> None:
        """Centre by the mean of these samples."""
        self.centring.settle(inputs)
