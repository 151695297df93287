import math

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.light import MAX_SHIFT, Light
from graft.modalities.image.info import PIXELS
from graft.spec.components.augmentation import NoAugmentation
from graft.spec.modalities.image import LightAugmentation


def augment(augmenter: Light, images: Tensor, seed: int = 0) -> Tensor:
    draws = Draws.of_epoch(np.arange(len(images)), seed, 1)
    return augmenter.apply(Batch({PIXELS: images}), draws)[PIXELS]


def pictures(count: int = 8, channels: int = 3, side: int = 12) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(99))


@pytest.mark.parametrize(
    "augmentation",
    [NoAugmentation(), LightAugmentation(magnitude=0.0), LightAugmentation(share=0.0)],
    ids=["none", "no magnitude", "no share"],
)
def test_nothing_to_do_gives_the_same_images(augmentation):
    images = pictures()
    assert augment(Light(augmentation, "both"), images) is images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("flip", ["none", "horizontal", "both"])
def test_images_change_but_keep_shape_and_type(channels, flip):
    images = pictures(channels=channels)
    before = images.clone()
    result = augment(Light(LightAugmentation(), flip), images)
    assert result.shape == images.shape
    assert result.dtype == images.dtype
    assert torch.all((result - images).flatten(1).abs().amax(dim=1) > 0.01)
    assert torch.equal(images, before)


def test_the_same_seed_gives_the_same_images():
    augmenter = Light(LightAugmentation(), "horizontal")
    first, again, other = (augment(augmenter, pictures(), seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("share", [0.3, 1.0])
@pytest.mark.parametrize("side", [13, 32])
def test_a_picture_does_not_depend_on_its_neighbours(share, side):
    augmenter, images = Light(LightAugmentation(share=share), "both"), pictures(count=9, side=side)
    draws = Draws.of_epoch(np.arange(9), 0, 1)
    whole = augmenter.apply(Batch({PIXELS: images}), draws)[PIXELS]
    parts = [
        augmenter.apply(Batch({PIXELS: images[part]}), draws.take(part))[PIXELS]
        for part in (np.arange(4), np.array([4]), np.arange(5, 9))
    ]
    assert torch.equal(torch.cat(parts), whole)


def test_a_share_of_the_samples_is_changed_and_the_others_stay_bit_for_bit():
    images = pictures(count=400)
    result = augment(Light(LightAugmentation(share=0.25)), images)
    same = (result == images).flatten(1).all(dim=1)
    assert 0.18 < 1 - same.float().mean().item() < 0.32


@pytest.mark.parametrize("magnitude", [0.1, 1.0])
def test_a_flat_image_stays_flat(magnitude):
    images = torch.full((5, 3, 9, 9), 0.3)
    images[:, 1] = -1.7
    torch.testing.assert_close(augment(Light(LightAugmentation(magnitude=magnitude), "both"), images), images)


def test_what_moves_in_has_the_colour_of_the_border():
    images = torch.full((64, 1, 15, 15), 5.0)
    images[:, :, 5:10, 5:10] = 1.0
    result = augment(Light(LightAugmentation(magnitude=1.0)), images)
    torch.testing.assert_close(result[:, :, 0], images[:, :, 0])
    assert result.min() < 1.01


def test_a_tiny_magnitude_changes_next_to_nothing():
    ramp = torch.linspace(0, 1, 16).expand(4, 1, 16, 16)
    result = augment(Light(LightAugmentation(magnitude=1e-4)), ramp)
    assert (result - ramp).abs().max() < 0.01


def spots(row: int, column: int, count: int = 300) -> Tensor:
    images = torch.zeros(count, 1, 33, 33)
    images[:, :, row - 1 : row + 2, column - 1 : column + 2] = 1
    return images


def centres(images: Tensor) -> tuple[Tensor, Tensor]:
    """Centre of brightness of each image, in pixels from the middle (down, right)."""
    axis = torch.arange(33, dtype=torch.float32) - 16
    weight = images[:, 0] / images[:, 0].sum(dim=(1, 2), keepdim=True)
    return (weight.sum(dim=2) * axis).sum(dim=1), (weight.sum(dim=1) * axis).sum(dim=1)


def test_the_middle_moves_as_far_as_the_shift_allows_in_every_direction():
    down, right = centres(augment(Light(LightAugmentation(magnitude=1.0)), spots(16, 16)))
    bound = MAX_SHIFT * 33 / (1 - 0.2)
    for moved in (down, right):
        assert moved.min() < -0.6 * bound
        assert moved.max() > 0.6 * bound
        assert moved.abs().max() < math.sqrt(2) * bound


def test_half_the_magnitude_is_half_the_shift():
    whole, _ = centres(augment(Light(LightAugmentation(magnitude=1.0)), spots(16, 16)))
    half, _ = centres(augment(Light(LightAugmentation(magnitude=0.5)), spots(16, 16)))
    assert 0.4 < half.abs().mean() / whole.abs().mean() < 0.6


@pytest.mark.parametrize(("flip", "sides"), [("none", {(-1, -1)}), ("horizontal", {(-1, -1), (-1, 1)})])
def test_only_the_mirror_images_that_keep_the_label_occur(flip, sides):
    down, right = centres(augment(Light(LightAugmentation(magnitude=0.1), flip), spots(6, 6)))
    assert set(zip(down.sign().int().tolist(), right.sign().int().tolist(), strict=True)) == sides


def test_both_mirrors_give_four_sides_equally_often():
    down, right = centres(augment(Light(LightAugmentation(magnitude=0.1), "both"), spots(6, 6)))
    sides = list(zip(down.sign().int().tolist(), right.sign().int().tolist(), strict=True))
    assert len(set(sides)) == 4
    assert all(45 < sides.count(side) < 105 for side in set(sides))


def test_half_precision_stays_half_precision():
    result = augment(Light(LightAugmentation()), pictures().to(torch.bfloat16))
    assert result.dtype == torch.bfloat16


@pytest.mark.gpu
def test_a_gpu_gives_the_same_pictures():
    augmenter = Light(LightAugmentation(magnitude=1.0, share=0.7), "both")
    images = pictures(channels=3, side=32)
    on_gpu = augment(augmenter, images.cuda())
    assert on_gpu.device.type == "cuda"
    torch.testing.assert_close(on_gpu.cpu(), augment(augmenter, images), atol=1e-4, rtol=0)
