"""The weighted mean of AugMix (Hendrycks et al., ICLR 2020)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.modalities.image.augment.colour import each

Numbers = NDArray[np.float64]
LONGEST = 3


@dataclass(frozen=True)
class Mixture:
    """How chains of operations are mixed with the picture.

    Attributes:
        weights: of the chains, [k, B]; those of a picture add up to 1.
        lengths: operations of each chain, 1 to 3, [k, B].
        share: of the mean of the chains in the result, [B].
    """

    weights: Numbers
    lengths: NDArray[np.int64]
    share: Numbers

    @property
    def longest(self) -> int:
        """Operations of the longest chain that there can be."""
        return LONGEST

    def of(self, pixels: Tensor, chains: Sequence[Tensor]) -> Tensor:
        """(1 - m) x + m Σ w_i chain_i(x)."""
        mixed = pixels * each(1 - self.share, pixels)
        for weight, chain in zip(self.weights, chains, strict=True):
            mixed = mixed + chain * each(self.share * weight, pixels)
        return mixed


def mixture(draws: Draws, chains: int) -> Mixture:
    """Weights from Dirichlet(1), a share from Beta(1, 1), lengths from 1 to 3."""
    # Exponential numbers over their sum are Dirichlet(1).
    exponential = np.array(
        [[-math.log(1 - number) for number in row] for row in draws.uniform("augmix weights", chains)]
    )
    lengths = 1 + (draws.uniform("augmix lengths", chains) * LONGEST).astype(np.int64)
    # A sum over an axis of few numbers is added in the same order for any size of the batch.
    total = exponential[0] + sum(exponential[1:])
    return Mixture(exponential / total, lengths, draws.uniform("augmix share")[0])
