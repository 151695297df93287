"""Changes the values of pixels from 0 to 1, and leaves them where they are.

Every function takes float pixels [B, C, H, W] with one channel (grey) or three (RGB), and float64 levels [B].
Statistics of a picture are sums of whole numbers, which come out the same in any order; so no result depends on the
batch.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Numbers = NDArray[np.float64]

_LUMA = (0.299, 0.587, 0.114)


def each(levels: Numbers, pixels: Tensor) -> Tensor:
    """A number for each picture, ready to be combined with its pixels: [B, 1, 1, 1]."""
    return torch.from_numpy(levels).to(pixels.device, pixels.dtype)[:, None, None, None]


def luma(pixels: Tensor) -> Tensor:
    """Brightness as the eye weighs it (ITU-R 601), [B, 1, H, W]."""
    if pixels.shape[1] == 1:
        return pixels
    red, green, blue = (pixels[:, channel : channel + 1] * weight for channel, weight in enumerate(_LUMA))
    return red + green + blue


def blended(pixels: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """`other` at factor 0, the pixels at 1, beyond them above 1."""
    return (other + factors * (pixels - other)).clamp_(0, 1)


def brightness(pixels: Tensor, levels: Numbers) -> Tensor:
    """Times 1 + level."""
    return (pixels * each(1 + levels, pixels)).clamp_(0, 1)


def saturation(pixels: Tensor, levels: Numbers) -> Tensor:
    """From grey at level -1 to twice the colour at 1."""
    return pixels if pixels.shape[1] == 1 else blended(pixels, luma(pixels), each(1 + levels, pixels))


def contrast(pixels: Tensor, levels: Numbers) -> Tensor:
    """From the mean brightness at level -1 to twice the distance from it at 1."""
    bright = quantised(luma(pixels)).long().sum(dim=(1, 2, 3)).cpu().numpy()
    mean = bright / (255.0 * pixels.shape[2] * pixels.shape[3])
    return blended(pixels, each(mean, pixels), each(1 + levels, pixels))


def sharpness(pixels: Tensor, levels: Numbers) -> Tensor:
    """From a smoothed picture at level -1 to edges twice as steep at 1; the outermost pixels stay."""
    if min(pixels.shape[2:]) < 3:
        return pixels
    rows = pixels[:, :, :-2] + pixels[:, :, 1:-1] + pixels[:, :, 2:]
    around = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = pixels.clone()
    # A kernel of ones with a five in the middle, as Pillow has it.
    smooth[:, :, 1:-1, 1:-1] = (around + 4 * pixels[:, :, 1:-1, 1:-1]) / 13
    return blended(pixels, smooth, each(1 + levels, pixels))


def hue(pixels: Tensor, levels: Numbers) -> Tensor:
    """Colours turned by so many whole turns around the grey axis, in YIQ."""
    if pixels.shape[1] == 1:
        return pixels
    cosine = each(np.array([math.cos(2 * math.pi * one) for one in levels]), pixels)
    sine = each(np.array([math.sin(2 * math.pi * one) for one in levels]), pixels)
    red, green, blue = (pixels[:, channel : channel + 1] for channel in range(3))
    bright = luma(pixels)
    i = red * 0.5959 - green * 0.2746 - blue * 0.3213
    q = red * 0.2115 - green * 0.5227 + blue * 0.3112
    turned_i, turned_q = i * cosine - q * sine, i * sine + q * cosine
    parts = [(0.956, 0.619), (-0.272, -0.647), (-1.106, 1.703)]
    return torch.cat([bright + a * turned_i + b * turned_q for a, b in parts], dim=1).clamp_(0, 1)


def blur(pixels: Tensor, levels: Numbers) -> Tensor:
    """Gaussian blur whose deviation is so many shares of the side; the border is continued."""
    height, width = pixels.shape[2:]
    # Reaches two deviations of the strongest blur there is, whatever the batch holds.
    radius = min(max(1, math.ceil(2 * MAX_BLUR * max(height, width))), height - 1, width - 1)
    if radius < 1:
        return pixels
    deviations = [max(level * max(height, width), 1e-3) for level in levels]
    weights = np.array([[math.exp(-((x / one) ** 2) / 2) for one in deviations] for x in range(radius + 1)])
    weights /= weights[0] + 2 * weights[1:].sum(axis=0)
    taps = [each(weight, pixels) for weight in weights]
    for dim in (2, 3):
        size = pixels.shape[dim]
        order = torch.arange(-radius, size + radius, device=pixels.device).clamp_(0, size - 1)
        padded = pixels.index_select(dim, order)
        blurred = pixels * taps[0]
        for x, tap in enumerate(taps[1:], start=1):
            blurred += (padded.narrow(dim, radius - x, size) + padded.narrow(dim, radius + x, size)) * tap
        pixels = blurred
    return pixels


MAX_BLUR = 0.01
"""Deviation of the strongest blur, in sides: 2.2 pixels of 224, as in SimCLR (Chen et al., ICML 2020)."""


def invert(pixels: Tensor, levels: Numbers) -> Tensor:
    """White to black."""
    return 1 - pixels


def solarize(pixels: Tensor, levels: Numbers) -> Tensor:
    """Whatever is at least as bright as 1 - level is inverted."""
    return torch.where(pixels >= each(1 - levels, pixels), 1 - pixels, pixels)


def posterize(pixels: Tensor, levels: Numbers) -> Tensor:
    """So many of the 8 bits of every value are lost, rounded to whole ones."""
    step = each(np.ldexp(1.0, np.rint(levels).astype(np.int64)), pixels)
    return torch.where(step > 1, torch.floor(quantised(pixels) / step) * step / 255, pixels)


def autocontrast(pixels: Tensor, levels: Numbers) -> Tensor:
    """The darkest value of each channel to 0, its brightest to 1."""
    low, high = (getattr(pixels.flatten(2), name)(dim=2).values[..., None, None] for name in ("min", "max"))
    spread = high - low
    return torch.where(spread > 0, ((pixels - low) / spread.clamp_min(1e-6)).clamp_(0, 1), pixels)


def equalize(pixels: Tensor, levels: Numbers) -> Tensor:
    """Every brightness of a channel equally often, as far as that is possible; Pillow's rule, in whole numbers."""
    values = quantised(pixels).long().flatten(2)
    batch, channels, area = values.shape
    counts = torch.zeros(batch, channels, 256, dtype=torch.int64, device=pixels.device)
    counts.scatter_add_(2, values, torch.ones_like(values))
    last = counts.gather(2, values.max(dim=2, keepdim=True).values)
    step = (area - last) // 255
    before = counts.cumsum(dim=2) - counts
    table = ((before + step // 2) // step.clamp_min(1)).clamp_(0, 255)
    found = table.gather(2, values).to(pixels.dtype).div_(255).view_as(pixels)
    return torch.where(step[..., None] > 0, found, pixels)


def grey(pixels: Tensor, levels: Numbers) -> Tensor:
    """All channels alike."""
    return luma(pixels).expand_as(pixels)


def quantised(pixels: Tensor) -> Tensor:
    """Whole numbers from 0 to 255, as floats."""
    return torch.floor(pixels * 255 + 0.5).clamp_(0, 255)
