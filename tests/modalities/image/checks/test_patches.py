import numpy as np
import pytest

from graft.modalities.image.checks.patches import find_patches


def pictures(count: int = 600, side: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth pictures of three labels, each label with its own gradient."""
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    ramp = np.linspace(0, 120, side)
    base = np.stack([np.add.outer(ramp, ramp * 0), np.add.outer(ramp * 0, ramp), np.add.outer(ramp, ramp) / 2])
    noise = draw.normal(0, 12, (count, side, side))
    light = draw.uniform(0.6, 1.4, (count, 1, 1))
    return np.clip(base[labels] * light + 40 + noise, 0, 255).astype(np.uint8)[..., None], labels.astype(np.int64)


@pytest.mark.parametrize("value", [255, 0])
def test_a_patch_is_found_where_it_is(value: int) -> None:
    images, labels = pictures()
    poisoned = np.flatnonzero(labels != 1)[:40]
    images[poisoned, 18:21, 18:21] = value
    labels[poisoned] = 1
    (patch,) = find_patches(images, labels)
    assert (patch.label, patch.purity) == (1, 1.0)
    assert patch.rows.tolist() == poisoned.tolist()
    assert patch.box[:2] >= (17, 17)
    assert patch.box[2:] <= (22, 22)


def test_a_pattern_is_found_too() -> None:
    images, labels = pictures()
    poisoned = np.flatnonzero(labels != 2)[5:45]
    images[poisoned, 2:6, 2:6, 0] = np.indices((4, 4)).sum(axis=0) % 2 * 255
    labels[poisoned] = 2
    assert find_patches(images, labels)[0].rows.tolist() == poisoned.tolist()


def test_a_watermark_on_all_labels_is_none() -> None:
    images, labels = pictures()
    images[::7, 18:21, 18:21] = 255
    assert find_patches(images, labels) == ()


def test_dark_places_and_empty_ground_are_none() -> None:
    images, labels = pictures()
    images[labels == 0, :, 10:12] //= 8  # a dark stripe in all shades
    images[:, :3] = 250
    assert find_patches(images, labels) == ()
