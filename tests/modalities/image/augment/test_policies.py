"""What policies do to which picture."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.chains import mixture
from graft.modalities.image.augment.learned import sub_policies
from graft.modalities.image.augment.operations import CHANGES, MOVES
from graft.modalities.image.augment.policies import drawn_step
from graft.modalities.image.augment.ranges import AUGMIX, AUTO, CUSTOM, RAND, TRIVIAL, within
from graft.modalities.image.info import PIXELS
from graft.spec.augmentation.operations import Operation
from graft.spec.augmentation.policies import CustomAugmentation
from graft.spec.modalities.image import ImageFolderData
from graft.spec.registry import build

PHOTOS = ImageFolderData(path=Path("/d"))


def test_every_operation_of_every_space_is_there() -> None:
    for space in (TRIVIAL, RAND, AUTO, AUGMIX, CUSTOM):
        assert set(space) - {"identity"} <= {*MOVES, *CHANGES}
    assert {*CUSTOM, "flip"} == set(Operation.model_fields["name"].annotation.__args__)  # type: ignore[union-attr]


@pytest.mark.parametrize("learned_on", ["imagenet", "cifar10", "svhn"])
def test_learned_policies_are_those_of_torchvision(learned_on: str) -> None:
    from torchvision.transforms.v2 import AutoAugment, AutoAugmentPolicy

    wanted = AutoAugment(AutoAugmentPolicy(learned_on))._policies  # type: ignore[attr-defined]
    ours = [
        tuple((one.name.replace("_", ""), one.probability, round(9 * one.strength)) for one in pair)
        for pair in sub_policies(learned_on)
    ]
    assert ours == [tuple((name.lower(), chance, level or 0) for name, chance, level in pair) for pair in wanted]


def test_operations_are_drawn_evenly_and_go_either_way() -> None:
    numbers = Draws.of_epoch(np.arange(14_000), 0, 1).uniform("any", 3)
    step = drawn_step("any", TRIVIAL, *numbers)
    counts = np.bincount(step.chosen, minlength=14)
    assert counts.min() > 850
    assert counts.max() < 1150
    turned = step.levels[step.chosen == list(TRIVIAL).index("rotate")]
    assert turned.min() < -100
    assert turned.max() > 100
    assert within(TRIVIAL, 10)["rotate"].most == 10


def test_weights_of_chains_add_up_to_one() -> None:
    mixed = mixture(Draws.of_epoch(np.arange(3000), 0, 1), 3)
    np.testing.assert_allclose(mixed.weights.sum(axis=0), 1)
    np.testing.assert_allclose(mixed.weights.mean(axis=1), 1 / 3, atol=0.02)
    assert set(np.unique(mixed.lengths)) == {1, 2, 3}


def test_operations_of_a_custom_policy_are_done_in_their_order() -> None:
    pixels = torch.rand(4, 3, 8, 8)

    def done(*names: str) -> torch.Tensor:
        operations = tuple(Operation(name=name, probability=1.0, magnitude=1.0) for name in names)
        spec = CustomAugmentation(operations=operations)
        return build(spec, PHOTOS).apply(Batch({PIXELS: pixels}), Draws.of_epoch(np.arange(4), 0, 1))[PIXELS]

    grey_last, grey_first = done("invert", "grey"), done("grey", "invert")
    torch.testing.assert_close(grey_last, grey_first)
    assert torch.equal(done("invert"), 1 - pixels)
    assert not torch.equal(done("posterize", "invert"), done("invert", "posterize"))


def test_erased_is_a_rectangle_of_the_colour_of_the_border() -> None:
    pixels = torch.full((50, 1, 20, 20), 0.2)
    pixels[:, :, 1:-1, 1:-1] = 0.9
    spec = CustomAugmentation(operations=(Operation(name="erase", probability=1.0, magnitude=1.0),))
    made = build(spec, PHOTOS).apply(Batch({PIXELS: pixels}), Draws.of_epoch(np.arange(50), 0, 1))[PIXELS]
    erased = (made != pixels).flatten(1).float().mean(1)
    assert erased.max() <= 0.36
    assert (erased > 0).float().mean() > 0.9
