"""Light augmentation: random rotation, scale, shift and mirror images, on batches and on any device.

All random numbers are drawn on the CPU from the caller's generator, and as many for each batch whatever is done with
them, so the same seed gives the same pictures on every device. Drawing is apart from applying: processes that share a
batch draw for the whole of it, and each applies its part.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from graft.data.batch import Batch
from graft.modalities.image.info import PIXELS
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import Flip, LightAugmentation

MAX_ROTATION = math.radians(30)
MAX_SCALE = 0.2
MAX_SHIFT = 0.125
"""What magnitude 1 means: ±30°, ±20 % and ±12.5 % of the side."""

_DRAWS = 7


def light(spec: LightAugmentation, data: DataSpec) -> "Augmenter":
    """The augmentation for a data section, whose `flip` says which mirror images keep the label."""
    return Augmenter(spec, getattr(data, "flip", "none"))


class Augmenter:
    """Changes the images of a batch at random, without changing what they show.

    What moves in from outside gets the median colour of the image's own border: black around a digit, white around a
    cut-out, something unobtrusive around a photo.

    Args:
        augmentation: what to do; its `share` of the samples are changed, the others stay bit for bit.
        flip: which mirror images keep the label: none, horizontal (left and right), both (also upside down).
    """

    def __init__(self, augmentation: LightAugmentation, flip: Flip = "none") -> None:
        self._augmentation = augmentation
        self._flip = flip

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """The random numbers for a batch, [D, count]: a column a sample.

        Args:
            count: samples of the batch.
            generator: on the CPU; advanced by the same amount for every batch of this size.
        """
        return torch.rand(_DRAWS, count, generator=generator)

    def draw_rows(self, count: int, generator: torch.Generator) -> Tensor:
        """The random numbers of rows 0 up to `count`, [D, count]: those of a row are the same for any later count."""
        return torch.rand(count, _DRAWS, generator=generator).T

    def apply(self, batch: Batch, draws: Tensor) -> Batch:
        """Augment a batch of images; what becomes of each depends on its own column of the draws alone.

        Args:
            batch: with float pixels [B, C, H, W], on any device; not changed.
            draws: [D, B], from `draw`.

        Returns:
            A batch of the same shape, type and device.
        """
        light, images = self._augmentation, batch[PIXELS]
        if light.num_views == 0:
            return batch
        chosen = torch.nonzero(draws[0] < light.share)[:, 0]
        if len(chosen) == 0:
            return batch
        mirrored = _mirror(images[chosen.to(images.device)], draws[1:3, chosen], self._flip)
        moved = _move(mirrored, draws[3:, chosen] * 2 - 1, light.magnitude)
        return Batch({PIXELS: images.index_copy(0, chosen.to(images.device), moved)})


def _mirror(images: Tensor, draws: Tensor, flip: Flip) -> Tensor:
    if flip == "none":
        return images
    halves = (draws < 0.5).to(images.device)[:, :, None, None, None]
    images = torch.where(halves[0], images.flip(3), images)
    return torch.where(halves[1], images.flip(2), images) if flip == "both" else images


def _move(images: Tensor, signed: Tensor, magnitude: float) -> Tensor:
    """Rotate, scale and shift; `signed` [4, B] in -1..1 says how far of the most that is allowed."""
    angle = signed[0] * MAX_ROTATION * magnitude
    # The grid says where each output pixel comes from, hence the inverse of the scale.
    scale = 1 / (1 + signed[1] * MAX_SCALE * magnitude)
    # Coordinates run from -1 to 1, so the whole side is 2.
    shift_x, shift_y = (signed[2:] * 2 * MAX_SHIFT * magnitude).unbind()
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cosine, -sine, shift_x], dim=1), torch.stack([sine, cosine, shift_y], dim=1)]
    theta = torch.stack(rows, dim=1).to(images.device, images.dtype)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    outside = _border_median(images)
    # grid_sample fills with zeros, so zero is made to mean the border's colour.
    return functional.grid_sample(images - outside, grid, padding_mode="zeros", align_corners=False) + outside


def _border_median(images: Tensor) -> Tensor:
    """Median of each channel along the image's border, [B, C, 1, 1]."""
    edges = [images[:, :, 0], images[:, :, -1], images[:, :, :, 0], images[:, :, :, -1]]
    return torch.cat(edges, dim=2).median(dim=2).values[:, :, None, None]
