"""All operations by name, and how one step of a policy does a different one to every picture of a batch.

A step groups the pictures by operation: all that are moved are moved by one warp, all others go together by operation.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.modalities.image.augment import colour
from graft.modalities.image.augment.geometry import affine, border_median, mirror, similarity, warp

Numbers = NDArray[np.float64]
Map = Callable[[Numbers, Numbers], Numbers]
Change = Callable[[Tensor, Numbers, Numbers], Tensor]

NOTHING = -1
MAX_ASPECT = 4 / 3
"""Of random crops, as Inception was trained (Szegedy et al., CVPR 2015)."""


def _crop(levels: Numbers, noise: Numbers) -> Numbers:
    """A part of the picture, from `1 - level` of its area up to all of it, at any place, blown up to the whole."""
    area = 1 - levels * noise[0]
    stretch = np.array([math.exp((2 * one - 1) * math.log(MAX_ASPECT) / 2) for one in noise[1]])
    width, height = np.minimum(np.sqrt(area) * stretch, 1), np.minimum(np.sqrt(area) / stretch, 1)
    right, down = (2 * noise[2] - 1) * (1 - width), (2 * noise[3] - 1) * (1 - height)
    zero = np.zeros_like(area)
    return affine(((width, zero, right), (zero, height, down)))


def _shift(levels: Numbers, noise: Numbers) -> Numbers:
    one, zero = np.ones_like(levels), np.zeros_like(levels)
    right, down = 2 * levels * (2 * noise[:2] - 1)
    return affine(((one, zero, right), (zero, one, down)))


def _shear(levels: Numbers, noise: Numbers) -> Numbers:
    one = np.ones_like(levels)
    sideways = noise[0] < 0.5
    return affine(((one, np.where(sideways, levels, 0), 0 * one), (np.where(sideways, 0, levels), one, 0 * one)))


def _along(axis: int, what: str) -> Map:
    """A shear, or a shift, in one direction."""

    def made(levels: Numbers, noise: Numbers) -> Numbers:
        one, zero = np.ones_like(levels), np.zeros_like(levels)
        rows = [[one, zero, zero], [zero, one, zero]]
        rows[axis][1 - axis if what == "shear" else 2] = levels if what == "shear" else 2 * levels
        return affine(rows)

    return made


def _rotate(levels: Numbers, noise: Numbers) -> Numbers:
    return similarity(np.radians(levels), np.ones_like(levels), 0 * levels, 0 * levels)


def _scale(levels: Numbers, noise: Numbers) -> Numbers:
    return similarity(0 * levels, 1 + levels, 0 * levels, 0 * levels)


def _jitter(pixels: Tensor, levels: Numbers, noise: Numbers) -> Tensor:
    """Brightness, contrast, saturation and a little of hue, in this order; the strengths of SimCLR's are its 0.8."""
    signed = (2 * noise - 1) * levels
    for change, numbers in zip((colour.brightness, colour.contrast, colour.saturation), signed, strict=False):
        pixels = change(pixels, numbers)
    return colour.hue(pixels, signed[3] / 4)


def _erase(pixels: Tensor, levels: Numbers, noise: Numbers) -> Tensor:
    """A rectangle gets the border's colour.

    Random erasing (Zhong et al., AAAI 2020): its share of the area is s from 0.02 to `level`, its sides stand as r from
    0.3 to 1 / 0.3.
    """
    area = 0.02 + np.maximum(levels - 0.02, 0) * noise[0]
    ratio = np.array([math.exp((2 * one - 1) * math.log(1 / 0.3) / 2) for one in noise[1]])
    tall, wide = np.minimum(np.sqrt(area) * ratio, 1), np.minimum(np.sqrt(area) / ratio, 1)
    hidden = inside(pixels, noise[2] * (1 - wide), noise[3] * (1 - tall), wide, tall)
    return torch.where(hidden, border_median(pixels), pixels)


def inside(pixels: Tensor, left: Numbers, top: Numbers, wide: Numbers, tall: Numbers) -> Tensor:
    """Which pixels lie in a rectangle of each picture, bool [B, 1, H, W]; all numbers [B] are shares of the sides."""
    height, width = pixels.shape[2:]

    def between(start: Numbers, length: Numbers, count: int) -> Tensor:
        first = np.floor(start * count + 0.5).astype(np.int64)
        end = np.floor((start + length) * count + 0.5).astype(np.int64)
        places = np.arange(count)
        return torch.from_numpy((places >= first[:, None]) & (places < end[:, None])).to(pixels.device)

    return between(top, tall, height)[:, None, :, None] & between(left, wide, width)[:, None, None, :]


def _plain(change: Callable[[Tensor, Numbers], Tensor]) -> Change:
    return lambda pixels, levels, noise: change(pixels, levels)


MOVES: dict[str, Map] = {
    "rotate": _rotate,
    "scale": _scale,
    "shift": _shift,
    "shear": _shear,
    "crop": _crop,
    "shear_x": _along(0, "shear"),
    "shear_y": _along(1, "shear"),
    "translate_x": _along(0, "shift"),
    "translate_y": _along(1, "shift"),
}
CHANGES: dict[str, Change] = {
    "brightness": _plain(colour.brightness),
    "color": _plain(colour.saturation),
    "contrast": _plain(colour.contrast),
    "sharpness": _plain(colour.sharpness),
    "sharpen": _plain(colour.sharpness),
    "blur": _plain(colour.blur),
    "posterize": _plain(colour.posterize),
    "solarize": _plain(colour.solarize),
    "autocontrast": _plain(colour.autocontrast),
    "equalize": _plain(colour.equalize),
    "invert": _plain(colour.invert),
    "grey": _plain(colour.grey),
    "jitter": _jitter,
    "erase": _erase,
}
NOISE = 4
"""Random numbers that an operation has for each picture, beside its level."""


@dataclass(frozen=True)
class Step:
    """What one step of a policy does to each picture.

    Attributes:
        names: operations that may occur.
        chosen: int [B], the place of each one's among them; `NOTHING` leaves it as it is.
        levels: float64 [B], how strong, in the operation's own units.
        purpose: names the step, for the random numbers of its operations.
    """

    names: Sequence[str]
    chosen: NDArray[np.int64]
    levels: Numbers
    purpose: str


def carry_out(step: Step, pixels: Tensor, draws: Draws) -> Tensor:
    """Do a step; pictures [B, C, H, W] from 0 to 1, and their random numbers."""
    noise = draws.uniform(f"{step.purpose} noise", NOISE)
    moving = [place for place, name in enumerate(step.names) if name in MOVES]
    result = pixels.clone()
    if len(some := np.flatnonzero(np.isin(step.chosen, moving))):
        maps = np.zeros((2, 3, len(some)))
        for place in moving:
            here = step.chosen[some] == place
            if here.any():
                maps[:, :, here] = MOVES[step.names[place]](step.levels[some][here], noise[:, some][:, here])
        _put(result, some, warp(_of(pixels, some), maps))
    for place, name in enumerate(step.names):
        if name in CHANGES and len(some := np.flatnonzero(step.chosen == place)):
            _put(result, some, CHANGES[name](_of(pixels, some), step.levels[some], noise[:, some]))
    return result


def mirrored(pixels: Tensor, flip: str, draws: Draws, chance: float = 0.5) -> Tensor:
    """The mirror images that keep the label, each with this chance."""
    if flip == "none":
        return pixels
    numbers = draws.uniform("mirror", 2) < chance
    return mirror(pixels, numbers[0], numbers[1] & (flip == "both"))


def _of(pixels: Tensor, some: NDArray[np.int64]) -> Tensor:
    return pixels[torch.from_numpy(some).to(pixels.device)]


def _put(pixels: Tensor, some: NDArray[np.int64], changed: Tensor) -> None:
    pixels.index_copy_(0, torch.from_numpy(some).to(pixels.device), changed)
