"""mixup and CutMix for pictures."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.colour import each
from graft.modalities.image.augment.operations import inside
from graft.modalities.image.info import PIXELS
from graft.spec.augmentation.mixing import CutMix, MixUp

Numbers = NDArray[np.float64]


class MixedUp:
    """Weighted means of two pictures (`graft.spec.augmentation.mixing.MixUp`)."""

    def __init__(self, spec: MixUp) -> None:
        self._spec = spec

    def apply(self, own: Batch, others: Batch, draws: Draws) -> tuple[Batch, Tensor]:
        """λ x_i + (1 - λ) x_j; pixels float [B, C, H, W] of any scale."""
        pixels, weights = own[PIXELS], _weights(self._spec, draws)
        some = np.flatnonzero(weights < 1)
        places = torch.from_numpy(some).to(pixels.device)
        weight = each(weights[some], pixels)
        mixed = weight * pixels[places] + (1 - weight) * others[PIXELS][places]
        return Batch({PIXELS: pixels.index_copy(0, places, mixed)}), torch.from_numpy(weights)


class CutAndMixed:
    """Pictures with a rectangle of another (`graft.spec.augmentation.mixing.CutMix`)."""

    def __init__(self, spec: CutMix) -> None:
        self._spec = spec

    def apply(self, own: Batch, others: Batch, draws: Draws) -> tuple[Batch, Tensor]:
        """A rectangle of x_j in x_i; pixels float [B, C, H, W] of any scale."""
        pixels = own[PIXELS]
        side = np.array([math.sqrt(1 - weight) for weight in _weights(self._spec, draws)])
        middle = draws.uniform("cutmix middle", 2)
        cut = inside(pixels, middle[0] - side / 2, middle[1] - side / 2, side, side)
        area = cut.sum(dim=(1, 2, 3)).cpu().double() / (pixels.shape[2] * pixels.shape[3])
        return Batch({PIXELS: torch.where(cut, others[PIXELS], pixels)}), 1 - area


def _weights(spec: MixUp | CutMix, draws: Draws) -> Numbers:
    """λ of each sample, from Beta(α, α) by its quantiles; 1 beyond the share."""
    numbers = draws.uniform(f"{spec.kind} weights", 2)
    weights: Numbers = np.where(numbers[0] < spec.share, betaincinv(spec.alpha, spec.alpha, numbers[1]), 1.0)
    return weights
