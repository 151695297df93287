"""Mirror images and small shifts."""

import numpy as np
import pytest
import torch

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.augment.shifted import Shifted, shifted_views
from graft.modalities.image.info import PIXELS

NOTHING = Draws(np.zeros(2, np.int64), 0, ())


def images(side: int = 8) -> Batch:
    return Batch({PIXELS: torch.arange(2 * 3 * side * side).reshape(2, 3, side, side).float()})


@pytest.mark.parametrize("flip", ["none", "horizontal", "both"])
def test_all_views_differ_and_the_first_are_mirror_images(flip: str) -> None:
    found = [view.apply(images(), NOTHING)[PIXELS] for view in shifted_views(flip, 31)]
    assert len({tuple(one.flatten().tolist()) for one in [images()[PIXELS], *found]}) == 32
    expected = {"none": [], "horizontal": [(3,)], "both": [(3,), (2,), (2, 3)]}[flip]
    for mirrored, view in zip(expected, found, strict=False):
        assert torch.equal(view, images()[PIXELS].flip(mirrored))


def test_no_view_is_mirrored_where_that_changes_the_label() -> None:
    assert not any(view.mirrored for view in shifted_views("none", 31))


def test_a_shift_repeats_the_border_and_goes_one_pixel_at_least() -> None:
    before = images()[PIXELS]
    down = Shifted((), down=1).apply(images(), NOTHING)[PIXELS]
    assert torch.equal(down[:, :, 1:], before[:, :, :-1])
    assert torch.equal(down[:, :, 0], before[:, :, 0])
    left = Shifted((), right=-2).apply(images(), NOTHING)[PIXELS]
    assert torch.equal(left[..., :-2], before[..., 2:])
    assert torch.equal(left[..., -1], before[..., -1])
    assert torch.equal(images()[PIXELS], before)
