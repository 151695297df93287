"""From stored uint8 images to the batches that a network takes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.core.errors import DataError, Problem, SpecError
from graft.core.seeds import derive_seed
from graft.data.augment import Augmenter
from graft.data.dataset import DatasetArrays
from graft.spec.preprocessing import Preprocessing


class TrainingBatch(NamedTuple):
    """What one process computes of a batch that all of them share.

    Attributes:
        images: float32 [B, 3, R, R], this process's part.
        labels: int64 [B].
        total: samples of the whole batch.
    """

    images: Tensor
    labels: Tensor
    total: int


@dataclass(frozen=True)
class Shard:
    """Which part of everything one of several processes takes.

    Attributes:
        rank: which process, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    def part(self, count: int) -> slice:
        """This process's contiguous part of `count` things; the parts of all cover them, and differ by one at most."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)


WHOLE = Shard()


class Batches:
    """Batches of some rows of a dataset, preprocessed on the device they are used on.

    Args:
        arrays: the dataset; its arrays may be read-only and shared with other processes.
        rows: which rows, int [N]; all of them, in every process.
        preprocessing: what the backbone wants.
        batch_size: samples a batch; of the whole batch in training, of this process's in evaluation.
        device: where the batches are made.
        shard: this process's part.
    """

    def __init__(
        self,
        arrays: DatasetArrays,
        rows: np.ndarray,
        preprocessing: Preprocessing,
        batch_size: int,
        device: torch.device | str = "cpu",
        shard: Shard = WHOLE,
    ) -> None:
        self._arrays = arrays
        self._rows = np.asarray(rows, dtype=np.int64)
        self._preprocessing = preprocessing
        self._batch_size = batch_size
        self._device = torch.device(device)
        self._shard = shard

    @property
    def num_samples(self) -> int:
        """How many samples an epoch has, over all processes."""
        return len(self._rows)

    def __len__(self) -> int:
        """How many batches an epoch has: the optimiser's steps.

        Raises:
            SpecError: the batch size leaves a process less than two samples.
            DataError: so does the number of rows.
        """
        return len(self._training_bounds())

    def epoch(
        self, seed: int, epoch: int, augmenter: Augmenter | None = None, first: int = 0
    ) -> Iterator[TrainingBatch]:
        """All rows once, shuffled and augmented; the same again for the same seed and epoch.

        The batches are the same for any number of processes; each gets its part of every one. A last batch with less
        than two samples for each process is joined to the one before: batch norm has no variance of one.

        Args:
            seed: root of all randomness.
            epoch: which pass over the rows.
            augmenter: changes the images.
            first: batches to leave out at the start; the others are what they are with all of them.
        """
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(self._rows)
        for index, (start, stop) in enumerate(self._training_bounds()):
            if index < first:
                continue
            total = stop - start
            part = self._shard.part(total)
            images, labels = self._batch(order[start:stop][part])
            if augmenter is not None:
                generator = torch.Generator().manual_seed(derive_seed(seed, "augment", epoch, index))
                images = augmenter.apply(images, augmenter.draw(total, generator)[:, part])
            yield TrainingBatch(images, labels, total)

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's part of the rows once, in the order they were given, not augmented; it may be empty.

        Yields:
            images float32 [B, 3, R, R] and labels int64 [B].
        """
        rows = self._rows[self._shard.part(len(self._rows))]
        for start in range(0, len(rows), self._batch_size):
            yield self._batch(rows[start : start + self._batch_size])

    def _training_bounds(self) -> list[tuple[int, int]]:
        """Where each batch begins and ends in the shuffled rows."""
        count, size, fewest = len(self._rows), self._batch_size, 2 * self._shard.size
        if self._shard.size > 1:
            _require_enough(count, size, self._shard.size)
        bounds = [(start, min(start + size, count)) for start in range(0, count, size)]
        if len(bounds) > 1 and bounds[-1][1] - bounds[-1][0] < fewest:
            bounds[-2:] = [(bounds[-2][0], count)]
        return bounds

    def _batch(self, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images = normalise(self._arrays.images[rows], self._preprocessing, self._device)
        return images, torch.from_numpy(self._arrays.labels[rows]).to(self._device)


def normalise(images: np.ndarray, preprocessing: Preprocessing, device: torch.device | str = "cpu") -> Tensor:
    """Stored images to what the backbone takes; training and prediction share it.

    Args:
        images: uint8 [B, S, S, C].
        preprocessing: resolution, mean and std wanted.
        device: where to compute; the bytes travel, not the floats.

    Returns:
        float32 [B, 3, R, R]: resized with anti-aliasing if S is not R, grey repeated, (x / 255 - mean) / std.
    """
    # A tensor of a read-only array could be written to, so torch wants a writeable one.
    stored = torch.from_numpy(np.require(images, np.uint8, ["C", "W"]))
    # Moved as bytes, converted there: a quarter of the traffic.
    pixels = stored.to(device).permute(0, 3, 1, 2).float().div_(255).contiguous()
    side = preprocessing.resolution
    if pixels.shape[2:] != (side, side):
        mode = preprocessing.interpolation
        # Bicubic overshoots at edges; light beyond white does not exist in training.
        pixels = functional.interpolate(pixels, (side, side), mode=mode, antialias=True, align_corners=False).clamp_(
            0, 1
        )
    mean = torch.tensor(preprocessing.mean, device=device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=device).view(1, 3, 1, 1)
    return (pixels - mean) / std


def _require_enough(count: int, batch_size: int, size: int) -> None:
    if batch_size < 2 * size:
        rule = f"is {batch_size}, but must be >= {2 * size}: each of {size} workers needs 2 samples of every batch"
        raise SpecError([Problem("strategy.batch_size", f"{rule}; raise it, or take fewer workers")])
    if count < 2 * size:
        raise DataError(
            f"there are {count} training samples, but each of {size} workers needs 2 of every batch; take fewer workers"
        )
