"""Views of an image that show the same: mirror images where these keep the label, and small shifts."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws
from graft.data.batch import Batch
from graft.modalities.image.info import PIXELS
from graft.spec.modalities.image import Flip

STEP = 0.04
"""Of the side: how far a view is shifted; those behind the first eight directions go twice as far, and so on."""

_DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
_MIRRORED: dict[Flip, tuple[tuple[int, ...], ...]] = {
    "none": ((),),
    "horizontal": ((), (3,)),
    "both": ((), (3,), (2,), (2, 3)),
}


@dataclass(frozen=True)
class Shifted:
    """Mirrors and shifts every image alike; what moves in from outside repeats the border.

    Attributes:
        mirrored: dimensions of [B, C, H, W] that are turned round.
        down: steps; up if negative.
        right: steps.
    """

    mirrored: tuple[int, ...]
    down: int = 0
    right: int = 0

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy of a batch with pixels [B, C, H, W]; nothing is drawn."""
        images = batch[PIXELS].flip(self.mirrored) if self.mirrored else batch[PIXELS]
        rows, columns = (_places(images, dim, steps) for dim, steps in ((2, self.down), (3, self.right)))
        return Batch({**batch, PIXELS: images[:, :, rows[:, None], columns].contiguous()})


def shifted_views(flip: Flip, wanted: int) -> list[Shifted]:
    """So many different views, the mildest first."""
    return list(islice(_views(flip), wanted))


def _views(flip: Flip) -> Iterator[Shifted]:
    yield from (Shifted(mirrored) for mirrored in _MIRRORED[flip] if mirrored)
    for ring in count(1):
        for down, right in _DIRECTIONS:
            for mirrored in _MIRRORED[flip]:
                yield Shifted(mirrored, down * ring, right * ring)


def _places(images: Tensor, dim: int, steps: int) -> Tensor:
    side = images.shape[dim]
    # A step is one pixel at least: a view that is the image itself would count it twice.
    places = torch.arange(side, device=images.device) - steps * max(round(STEP * side), 1)
    return places.clamp(0, side - 1)
