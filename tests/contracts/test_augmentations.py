"""What every augmentation of images must keep, whichever policy it is and whatever the data are.

Shape, type and device stay, values stay between 0 and 1, the input is not touched; a sample becomes what its own random
numbers say, to the last bit, in any company; no share and no magnitude change nothing; what the data exclude (mirror
images, rotations beyond a bound) never happens.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment import geometry, light, operations
from graft.modalities.image.info import PIXELS
from graft.spec.augmentation.operations import Operation
from graft.spec.augmentation.policies import CustomAugmentation, Policy
from graft.spec.modalities.base import DataSpec
from graft.spec.modalities.image import DigitsData, IdxData, ImageFolderData
from graft.spec.modalities.table import TableData
from graft.spec.registry import build, members

CHANGING = [
    kind
    for kind, spec in members("augmentation").items()
    if getattr(spec, "modality", None) == "image" and "magnitude" in spec.model_fields
]
NAMES = Operation.model_fields["name"].annotation.__args__  # type: ignore[union-attr]
DATA: dict[str, DataSpec] = {
    "digits": DigitsData(),
    "idx": IdxData(path=Path("/d")),
    "photos": ImageFolderData(path=Path("/d")),
    "aerial": ImageFolderData(path=Path("/d"), flip="both"),
    "table": TableData(path=Path("/d.csv"), image="image", label="label"),
}


def spec_of(kind: str, **fields: Any) -> Policy:
    spec = members("augmentation")[kind].model_validate(fields)
    return spec  # type: ignore[return-value]


def one(name: str, **fields: Any) -> CustomAugmentation:
    """A policy that always does one operation."""
    return CustomAugmentation(operations=(Operation(name=name, probability=1.0, magnitude=1.0),), **fields)


def pictures(count: int = 12, channels: int = 3, side: int = 17) -> Tensor:
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(1))


def augmented(
    spec: Policy, pixels: Tensor, data: str = "aerial", rows: np.ndarray | None = None, epoch: int = 1
) -> Tensor:
    rows = np.arange(len(pixels)) if rows is None else rows
    changed: Batch = build(spec, DATA[data]).apply(Batch({PIXELS: pixels}), Draws.of_epoch(rows, 5, epoch))
    return changed[PIXELS]


EVERY = [pytest.param(spec_of(kind), id=kind) for kind in CHANGING] + [pytest.param(one(n), id=n) for n in NAMES]


def test_all_policies_are_here() -> None:
    assert {"light", "trivial", "rand", "auto", "augmix", "custom"} <= set(CHANGING)


@pytest.mark.parametrize("spec", EVERY)
@pytest.mark.parametrize("channels", [1, 3])
class TestEvery:
    def test_shape_type_and_range_stay_and_the_input_too(self, spec: Policy, channels: int) -> None:
        pixels = pictures(channels=channels)
        before = pixels.clone()
        changed = augmented(spec, pixels)
        assert (changed.shape, changed.dtype, changed.device) == (pixels.shape, pixels.dtype, pixels.device)
        assert torch.isfinite(changed).all()
        assert changed.min() >= -1e-5
        assert changed.max() <= 1 + 1e-5
        assert torch.equal(pixels, before)

    def test_a_sample_is_the_same_in_any_company(self, spec: Policy, channels: int) -> None:
        pixels = pictures(channels=channels)
        whole = augmented(spec, pixels)
        for places in (np.array([3]), np.array([11, 0]), np.arange(5)):
            assert torch.equal(augmented(spec, pixels[places], rows=places), whole[places])

    def test_seed_and_epoch_decide(self, spec: Policy, channels: int) -> None:
        pixels = pictures(channels=channels)
        assert torch.equal(augmented(spec, pixels), augmented(spec, pixels))
        has_one_outcome = len(getattr(spec, "operations", ()) if spec.kind == "custom" else ()) == 1
        if not has_one_outcome:
            assert not torch.equal(augmented(spec, pixels), augmented(spec, pixels, epoch=2))

    def test_no_share_and_no_magnitude_change_nothing(self, spec: Policy, channels: int) -> None:
        pixels = pictures(channels=channels)
        for nothing in ({"share": 0.0}, {"magnitude": 0.0}):
            none = spec.model_copy(update=nothing)
            assert augmented(none, pixels) is pixels
            assert none.simplest().kind == "none"


@pytest.mark.parametrize("kind", CHANGING)
class TestPolicies:
    def test_a_share_is_changed_and_the_rest_stays_bit_for_bit(self, kind: str) -> None:
        pixels = pictures(count=300, side=8)
        touched = (augmented(spec_of(kind, share=0.3), pixels) != pixels).flatten(1).any(1).float().mean().item()
        assert touched < 0.4
        assert touched > 0.1

    def test_pictures_of_one_pixel_and_none_at_all(self, kind: str) -> None:
        assert augmented(spec_of(kind), pictures(3, side=1)).shape == (3, 3, 1, 1)
        assert augmented(spec_of(kind), pictures(0)).shape == (0, 3, 17, 17)

    def test_a_flat_picture_gets_no_pattern_from_moves(self, kind: str) -> None:
        flat = torch.full((20, 3, 9, 9), 0.25)
        changed = augmented(spec_of(kind), flat)
        assert (changed.flatten(2).amax(2) - changed.flatten(2).amin(2)).max() < 1e-4

    @pytest.mark.parametrize("data", DATA)
    def test_what_the_data_exclude_never_happens(self, kind: str, data: str, moves: "Moves") -> None:
        flip, bound = getattr(DATA[data], "flip", "none"), getattr(DATA[data], "rotation", 180.0)
        for epoch in range(3):
            augmented(spec_of(kind), pictures(400, channels=1, side=3), data, epoch=epoch)
        assert (moves.sideways, moves.upside_down) == (flip != "none", flip == "both")
        maps = np.concatenate(moves.maps, axis=2)
        (a, b, _), (c, d, _) = maps
        assert (a * d - b * c > 0).all(), "a mirror image by way of a map"
        # The rotation that is nearest to a map; a shear by its largest tangent, 0.99, comes near to one by 26 degrees.
        turned = np.degrees(np.abs(np.arctan2(c - b, a + d)))
        assert turned.max() <= max(bound, 27) + 1e-6


@pytest.mark.parametrize(("data", "bound"), [("digits", 30), ("photos", 135)])
def test_a_rotation_keeps_to_the_bound_of_the_data(data: str, bound: float, moves: "Moves") -> None:
    augmented(one("rotate"), pictures(400, channels=1, side=3), data)
    turned = np.degrees(np.arctan2(moves.maps[0][1, 0], moves.maps[0][0, 0]))
    assert 0.9 * bound < np.abs(turned).max() <= bound
    assert turned.min() < -0.9 * bound
    assert turned.max() > 0.9 * bound


def test_a_picture_is_turned_and_mirrored_as_its_map_says() -> None:
    picture = torch.zeros(1, 1, 9, 9)
    picture[:, :, 1, 4] = 1.0  # at the top
    quarter = geometry.warp(picture, geometry.similarity(*np.array([[np.pi / 2], [1.0], [0.0], [0.0]])))
    assert quarter[0, 0].argmax() in (4 * 9 + 1, 4 * 9 + 7)
    upside_down = geometry.mirror(picture, np.array([False]), np.array([True]))
    assert upside_down[0, 0].argmax() == 7 * 9 + 4


class Moves:
    """What was asked of the two functions that all moves of pixels go through."""

    def __init__(self) -> None:
        self.maps: list[np.ndarray] = []
        self.sideways = self.upside_down = False

    def warp(self, images: Tensor, maps: np.ndarray) -> Tensor:
        self.maps.append(maps)
        return geometry.warp(images, maps)

    def mirror(self, images: Tensor, sideways: np.ndarray, upside_down: np.ndarray) -> Tensor:
        self.sideways |= bool(sideways.any())
        self.upside_down |= bool(upside_down.any())
        return geometry.mirror(images, sideways, upside_down)


@pytest.fixture
def moves(monkeypatch: pytest.MonkeyPatch) -> Moves:
    found = Moves()
    for module in (operations, light):
        monkeypatch.setattr(module, "warp", found.warp)
        monkeypatch.setattr(module, "mirror", found.mirror)
    return found
