"""Moves the pixels of a batch: affine maps and mirror images, to the last bit the same in every batch.

A map is given by where each output pixel comes from, in coordinates that run from -1 to 1 over the picture. Parameters
are computed in float64 for each picture, and grids from them by plain products and sums, which no size of a batch
rounds otherwise; a product of matrices would.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

Numbers = NDArray[np.float64]


def similarity(angle: Numbers, scale: Numbers, right: Numbers, down: Numbers) -> Numbers:
    """Maps [2, 3, B] that turn, enlarge, and then look elsewhere.

    Args:
        angle: in radians, [B].
        scale: above 1 enlarges, [B].
        right: how far to the right of the middle one looks, in halves of the side, [B].
        down: the same downwards, [B].
    """
    # numpy's own sine may take another path for the last few numbers of an array, and round otherwise there.
    cosine = np.array([math.cos(one) for one in angle]) / scale
    sine = np.array([math.sin(one) for one in angle]) / scale
    return affine(((cosine, -sine, right), (sine, cosine, down)))


def affine(rows: Sequence[Sequence[Numbers]]) -> Numbers:
    """Maps [2, 3, B] from their six numbers [B] each."""
    return np.array([list(row) for row in rows])


def warp(images: Tensor, maps: Numbers) -> Tensor:
    """Pixels from where the maps say, between pixels by bilinear interpolation.

    What moves in from outside gets the median colour of the picture's own border: black around a digit, white around a
    cut-out, something unobtrusive around a photo.

    Args:
        images: float [B, C, H, W].
        maps: [2, 3, B].
    """
    outside = border_median(images)
    # grid_sample fills with zeros, so zero is made to mean the border's colour.
    moved = functional.grid_sample(images - outside, _grid(images, maps), padding_mode="zeros", align_corners=False)
    return moved + outside


def mirror(images: Tensor, sideways: NDArray[np.bool_], upside_down: NDArray[np.bool_]) -> Tensor:
    """Left and right, top and bottom exchanged in those pictures [B] that are told."""
    left, top = (torch.from_numpy(some).to(images.device)[:, None, None, None] for some in (sideways, upside_down))
    images = torch.where(left, images.flip(3), images)
    return torch.where(top, images.flip(2), images)


def border_median(images: Tensor) -> Tensor:
    """Median of each channel along the border, [B, C, 1, 1]."""
    edges = [images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]]
    return torch.cat(edges, dim=2).median(dim=2).values[:, :, None, None]


def _grid(images: Tensor, maps: Numbers) -> Tensor:
    """Where each pixel comes from, [B, H, W, 2]."""
    height, width = images.shape[2:]
    x = _centres(width).to(images.device)
    y = _centres(height).to(images.device)[:, None]
    given = torch.from_numpy(maps).to(images.device, torch.float32)[..., None, None]
    rows = [row[0] * x + row[1] * y + row[2] for row in given]
    return torch.stack(rows, dim=-1).to(images.dtype)


def _centres(count: int) -> Tensor:
    """Middles of pixels, float32 [count], from -1 to 1."""
    return torch.from_numpy((2 * np.arange(count) + 1) / count - 1).float()
