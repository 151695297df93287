"""Test-time augmentation: a prediction is the mean of those for several views of a sample.

The first view is the sample as it is. What the others show has the same label, so their errors differ in part, and the
mean has less of them (Krizhevsky and others, NIPS 2012, averaged ten crops). Views are the same for all samples and in
every call: an answer depends on the sample alone, never on its neighbours.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.core.errors import SpecError
from graft.data.augmentation.draws import Draws, Rows
from graft.data.batch import Batch
from graft.data.inputs import Augmenter, Inputs, Views, ahead_of
from graft.data.streaming.reading import Reading

MOST_VIEWS = 32


@dataclass(frozen=True)
class AlikeForAll:
    """Changes every sample with the random numbers of one.

    Attributes:
        augmenter: does it.
        view: which numbers.
    """

    augmenter: Augmenter
    view: int

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy; the rows of the draws have no say."""
        rows = np.zeros(batch.size, dtype=np.int64)
        return self.augmenter.apply(batch, Draws(rows, 0, ("test view", self.view)))


@dataclass(frozen=True)
class ViewOf:
    """Inputs of which every sample is changed in one way.

    Attributes:
        inputs: the samples.
        augmenter: changes them.
    """

    inputs: Inputs
    augmenter: Augmenter

    @property
    def lengths(self) -> Any:
        """Those of the samples as they are."""
        return self.inputs.lengths

    @property
    def fixed(self) -> Any:
        """That of the samples as they are."""
        return self.inputs.fixed

    def ahead(self, reading: Reading, rank: int) -> AbstractContextManager[None]:
        """The samples are read ahead where they can be."""
        return ahead_of(self.inputs, reading, rank)

    def plain(self, rows: Rows) -> Batch:
        """The samples of rows [B], changed."""
        return self.inputs.augmented(self.augmenter, Draws(rows, 0, ()))

    def augmented(self, augmenter: Augmenter, draws: Draws) -> Batch:
        """A view is for predictions; training sees the samples.

        Raises:
            ValueError: always.
        """
        raise ValueError("a view at prediction cannot be augmented, but its samples can; take these")

    def view(self, rows: Rows, views: Views, index: int) -> Batch:
        """As `augmented`.

        Raises:
            ValueError: always.
        """
        return self.augmented(views.augmenter, views.draws(rows, index))


def seen_as(inputs: Inputs, augmenters: Sequence[Augmenter]) -> list[Inputs]:
    """The samples as they are, then each view of them."""
    return [inputs, *(ViewOf(inputs, one) for one in augmenters)]


def check_views(count: int, where: str = "tta") -> int:
    """The number of views, if there can be so many.

    Raises:
        SpecError: there cannot.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST_VIEWS:
        raise SpecError(f"{where} is {count}, but must be a whole number between 1 and {MOST_VIEWS}")
    return count
