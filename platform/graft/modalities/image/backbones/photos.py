"""Real photos that every installation has, to see what networks make of them."""

import itertools

import numpy as np
import torch
from torch.nn import functional

from graft.data.batch import Batch
from graft.modalities.image.info import PIXELS, ImageInput

_SIDE = 213
"""Of a piece, in pixels: six of them cover most of a photo of 427 by 640."""


def photo_batch(given: ImageInput, size: int, count: int) -> Batch:
    """Pieces of scikit-learn's photos of a temple and a flower, as a network takes them.

    Args:
        given: what the network was pretrained on.
        size: side of a square, in pixels.
        count: most pieces; there are twelve.
    """
    from sklearn.datasets import load_sample_images

    places = itertools.product(load_sample_images().images, range(2), range(3))
    cut = [
        photo[row * _SIDE : (row + 1) * _SIDE, column * _SIDE : (column + 1) * _SIDE] for photo, row, column in places
    ]
    squares = torch.from_numpy(np.stack(cut[:count])).permute(0, 3, 1, 2).float() / 255
    squares = functional.interpolate(squares, (size, size), mode=given.interpolation, antialias=True)
    mean, std = (torch.tensor(one).view(1, 3, 1, 1) for one in (given.mean, given.std))
    return Batch({PIXELS: (squares.clamp(0, 1) - mean) / std})
