"""What a network is given for some rows of a dataset: samples, or what its frozen part makes of them."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from graft.data.augmentation.draws import Draws, Rows
from graft.data.batch import FEATURES, Batch, to_device
from graft.data.feature_store.features import Features
from graft.data.streaming.reading import Reading


class Augmenter(Protocol):
    """Changes the samples of a batch at random."""

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        """A changed copy, on the same device.

        What becomes of a sample depends on the sample and its own random numbers alone, to the last bit: so it is the
        same in every batch, on every worker, and after a resume.

        Args:
            batch: as the modality hands it over before its last step (normalisation, padding); not changed.
            draws: the random numbers of its samples, in the same order.
        """


@dataclass(frozen=True)
class Views:
    """A fixed number of random augmentations of every sample, which epochs rotate through.

    What a sample becomes depends on the seed, the view and its row, so it is the same in every batch, epoch, trial and
    process; so frozen blocks need to see each view once.

    Attributes:
        augmenter: makes them.
        count: how many there are.
        seed: root of their randomness.
    """

    augmenter: Augmenter
    count: int
    seed: int

    def of_epoch(self, epoch: int) -> int:
        """The view of an epoch; epochs count from 1."""
        return (epoch - 1) % self.count

    def draws(self, rows: Rows, view: int) -> Draws:
        """The random numbers of the samples of these rows [B]."""
        return Draws.of_view(rows, self.seed, view)


class Inputs(Protocol):
    """Gives what a network takes; on the device it is used on."""

    @property
    def lengths(self) -> Any:
        """int64 [N], the length of every row, where rows differ in it and batches should not; None elsewhere."""

    @property
    def fixed(self) -> Any:
        """Length that stored features are filled up to; None where all have one shape."""

    def plain(self, rows: Rows) -> Batch:
        """The samples of rows [B], not augmented."""

    def augmented(self, augmenter: Augmenter, draws: Draws) -> Batch:
        """The samples of the draws' rows [B], changed; what networks need every sample to be is done after that."""

    def view(self, rows: Rows, views: Views, index: int) -> Batch:
        """One stored augmentation of rows [B]."""


@runtime_checkable
class ReadsAhead(Protocol):
    """Inputs that are quicker if they know which rows are going to be asked for: a stream decodes them ahead."""

    def ahead(self, reading: Reading, rank: int) -> AbstractContextManager[None]:
        """Entered, the rows of `reading` are asked for in its order, and in no other way.

        Args:
            reading: what all processes that train together are going to ask for.
            rank: which of them this is.
        """


def ahead_of(inputs: object, reading: Reading, rank: int) -> AbstractContextManager[None]:
    """`ReadsAhead.ahead` of inputs that have it; nothing of others."""
    return inputs.ahead(reading, rank) if isinstance(inputs, ReadsAhead) else nullcontext()


@dataclass(frozen=True)
class Part:
    """Stored features of some rows of a dataset.

    Attributes:
        rows: which, ascending.
        features: a row of features for each.
    """

    rows: Rows
    features: Features


@dataclass(frozen=True)
class StoredFeatures:
    """What the frozen blocks make of the samples, from the feature store.

    Attributes:
        parts: by view, None for the plain samples; the parts of a view have no row in common.
        device: where the features go.
        lengths: of the rows' samples, where they differ; they decide the batches.
        name: of the tensor in a batch; it says which blocks have made it.
    """

    parts: Mapping[int | None, Sequence[Part]]
    device: torch.device
    lengths: np.ndarray | None = None
    name: str = FEATURES
    fixed: ClassVar[None] = None

    def plain(self, rows: Rows) -> Batch:
        """Features float32 [B, *shape of a feature]."""
        return self._take(rows, None)

    def augmented(self, augmenter: Augmenter, draws: Draws) -> Batch:
        """Nothing changes features: they are stored for samples that are the same in every epoch.

        Raises:
            ValueError: always.
        """
        raise ValueError("stored features cannot be augmented, but samples can; train without the feature store")

    def view(self, rows: Rows, views: Views, index: int) -> Batch:
        """Features float32 [B, *shape of a feature]."""
        return self._take(rows, index)

    def _take(self, rows: Rows, view: int | None) -> Batch:
        found = np.zeros(len(rows), dtype=bool)
        taken: Tensor | None = None
        for part in self.parts[view]:
            places = np.searchsorted(part.rows, rows).clip(max=len(part.rows) - 1)
            is_here = part.rows[places] == rows
            if not is_here.any():
                continue
            features = part.features.tensor(places[is_here]).float()
            if taken is None:
                taken = _empty((len(rows), *features.shape[1:]))
            taken[torch.from_numpy(is_here)] = features
            found |= is_here
        if taken is None or not found.all():
            raise ValueError(f"{int((~found).sum())} of {len(rows)} rows have no stored features, but all must have")
        return Batch({self.name: to_device(taken, self.device)})


def _empty(shape: tuple[int, ...]) -> Tensor:
    # As the blocks below would have laid it out, also where height and width are 1 and `contiguous` sees no difference:
    # the layout decides which kernel computes, and with it the last bits.
    return torch.empty(shape, memory_format=torch.channels_last if len(shape) == 4 else torch.contiguous_format)
