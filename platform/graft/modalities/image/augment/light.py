"""Light augmentation: random rotation, scale, shift and mirror images."""

import math

import numpy as np
import torch

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.geometry import mirror, similarity, warp
from graft.modalities.image.augment.ranges import rotation_of
from graft.modalities.image.info import PIXELS
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import Flip, LightAugmentation

MAX_ROTATION = math.radians(30)
MAX_SCALE = 0.2
MAX_SHIFT = 0.125
"""What magnitude 1 means: ±30°, ±20 % and ±12.5 % of the side."""


def light(spec: LightAugmentation, data: DataSpec) -> "Light":
    """The augmentation for a data section, whose `flip` says which mirror images keep the label."""
    return Light(spec, getattr(data, "flip", "none"), rotation_of(data))


class Light:
    """Moves the pictures of a batch a little, without changing what they show.

    Args:
        augmentation: what to do; its `share` of the samples are changed, the others stay bit for bit.
        flip: which mirror images keep the label: none, horizontal (left and right), both (also upside down).
        rotation: the largest that keeps it, in degrees.
    """

    def __init__(self, augmentation: LightAugmentation, flip: Flip = "none", rotation: float = 180.0) -> None:
        self._augmentation = augmentation
        self._flip = flip
        self._turn = min(MAX_ROTATION, math.radians(rotation))

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy of a batch with float pixels [B, C, H, W], on any device."""
        light, images = self._augmentation, batch[PIXELS]
        if light.num_views == 0:
            return batch
        numbers = draws.uniform("light", 7)
        chosen = np.flatnonzero(numbers[0] < light.share)
        if len(chosen) == 0:
            return batch
        numbers = numbers[:, chosen]
        places = torch.from_numpy(chosen).to(images.device)
        halves = numbers[1:3] < 0.5
        some = images[places]
        if self._flip != "none":
            some = mirror(some, halves[0], halves[1] & (self._flip == "both"))
        signed = (2 * numbers[3:] - 1) * light.magnitude
        # The whole side is 2.
        maps = similarity(signed[0] * self._turn, 1 + signed[1] * MAX_SCALE, *(2 * MAX_SHIFT * signed[2:]))
        return Batch({PIXELS: images.index_copy(0, places, warp(some, maps))})
