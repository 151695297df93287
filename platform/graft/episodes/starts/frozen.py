"""Features of a pretrained backbone as they are, centred and of length 1."""

import torch
from torch import Tensor
from torch.nn import functional

from graft.episodes.samples import FEATURES, Inputs
from graft.episodes.starts.protocol import Moments, Start


class FrozenFeatures(Start):
    """(x − μ) / ‖x − μ‖, with μ the mean over training samples (SimpleShot: Wang, Chao, Weinberger & van der Maaten,
    arXiv 1911.04623, *CL2N*); zero until it is settled.

    Args:
        features: length F of a feature vector.
        view: that it reads.
    """

    mean: Tensor

    def __init__(self, features: int, view: str = FEATURES) -> None:
        super().__init__()
        self.width, self.views = features, (view,)
        self.register_buffer("mean", torch.zeros(features))

    def forward(self, inputs: Inputs, moments: Moments | None = None) -> tuple[Tensor, Moments]:
        """Vectors [n, F] of length 1."""
        return functional.normalize(inputs[self.views[0]].float() - self.mean, dim=-1), ()

    @torch.no_grad()
    def settle(self, inputs: Inputs) -> None:
        """Take the mean of these samples."""
        self.mean.copy_(inputs[self.views[0]].float().mean(dim=0))
