"""Views of a sample at prediction."""

import numpy as np
import pytest
import torch

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.several_views import AlikeForAll, check_views


class Noise:
    def apply(self, batch: Batch, draws: Draws) -> Batch:
        return Batch({"x": batch["x"] + torch.from_numpy(draws.uniform("noise", 3).T)})


def test_every_sample_gets_the_numbers_of_one_whatever_its_row() -> None:
    batch = Batch({"x": torch.zeros(4, 3)})
    found = AlikeForAll(Noise(), 1).apply(batch, Draws(np.array([9, 4, 7, 1]), 5, ("epoch", 3)))["x"]
    assert (found == found[0]).all()
    assert torch.equal(found, AlikeForAll(Noise(), 1).apply(batch, Draws(np.arange(4), 0, ()))["x"])
    assert not torch.equal(found, AlikeForAll(Noise(), 2).apply(batch, Draws(np.arange(4), 0, ()))["x"])


@pytest.mark.parametrize("count", [0, 33, True, 2.0, "2"])
def test_as_many_views_as_make_sense(count: object) -> None:
    with pytest.raises(SpecError, match="but must be a whole number between 1 and 32"):
        check_views(count)  # type: ignore[arg-type]
    assert check_views(32) == 32
