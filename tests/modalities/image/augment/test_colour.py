"""Changes of values, held against torchvision's, which does one picture at a time."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as oracle

from graft.modalities.image.augment import colour

LEVELS = np.array([-0.9, -0.3, 0.4, 0.95])


@pytest.fixture
def bytes_() -> Tensor:
    """Pictures of whole numbers, of which one is dark and one has a single value."""
    found = torch.randint(0, 256, (4, 3, 16, 14), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    found[1] //= 4
    found[2] = 77
    return found


def test_factors(bytes_: Tensor) -> None:
    pairs: list[tuple[Callable[..., Tensor], Callable[..., Tensor]]] = [
        (colour.brightness, oracle.adjust_brightness),
        (colour.saturation, oracle.adjust_saturation),
        (colour.contrast, oracle.adjust_contrast),
        (colour.sharpness, oracle.adjust_sharpness),
    ]
    pixels = bytes_ / 255
    for ours, theirs in pairs:
        wanted = torch.stack([theirs(one, 1 + level) for one, level in zip(pixels, LEVELS, strict=True)])
        torch.testing.assert_close(ours(pixels, LEVELS), wanted, atol=3e-3, rtol=0)


def test_whole_numbers(bytes_: Tensor) -> None:
    pixels, lost = bytes_ / 255, np.array([0.0, 2.0, 4.0, 6.0])
    posterized = [oracle.posterize(one, 8 - int(bits)) for one, bits in zip(bytes_, lost, strict=True)]
    wanted = {"posterize": torch.stack(posterized), "equalize": torch.stack([oracle.equalize(one) for one in bytes_])}
    for name, ours in {"posterize": colour.posterize, "equalize": colour.equalize}.items():
        assert torch.equal((ours(pixels, lost) * 255).round().to(torch.uint8), wanted[name]), name


def test_thresholds_and_stretching(bytes_: Tensor) -> None:
    pixels, levels = bytes_ / 255, np.array([0.1, 0.4, 0.9, 1.0])
    solarized = torch.stack([oracle.solarize(one, 1 - level) for one, level in zip(pixels, levels, strict=True)])
    torch.testing.assert_close(colour.solarize(pixels, levels), solarized)
    torch.testing.assert_close(colour.autocontrast(pixels, levels), oracle.autocontrast(pixels), atol=1e-5, rtol=0)


def test_blur_keeps_the_mean_of_a_wide_picture_and_smooths_it() -> None:
    pixels = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    blurred = colour.blur(pixels, np.array([0.0, 0.01]))
    torch.testing.assert_close(blurred[0], pixels[0])
    wanted = oracle.gaussian_blur(pixels[1], [5, 5], [0.96, 0.96])
    torch.testing.assert_close(blurred[1, :, 3:-3, 3:-3], wanted[:, 3:-3, 3:-3], atol=0.02, rtol=0)


def test_hue_turns_red_to_green_and_leaves_grey() -> None:
    pixels = torch.zeros(2, 3, 2, 2)
    pixels[0, 0], pixels[1] = 0.6, 0.4
    turned = colour.hue(pixels, np.array([1 / 3, 0.25]))
    assert turned[0, :, 0, 0].argmax() != 0
    torch.testing.assert_close(turned[1], pixels[1], atol=2e-3, rtol=0)


def test_grey_has_one_value_a_pixel(bytes_: Tensor) -> None:
    made = colour.grey(bytes_ / 255, LEVELS)
    torch.testing.assert_close(made, oracle.rgb_to_grayscale(bytes_ / 255, 3), atol=2e-3, rtol=0)
