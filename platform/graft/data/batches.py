"""From stored uint8 images to the batches that a network takes."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.core.seeds import derive_seed
from graft.data.augment import Augmenter
from graft.data.dataset import DatasetArrays
from graft.spec.preprocessing import Preprocessing


class Batches:
    """Batches of some rows of a dataset, preprocessed on the device they are used on.

    Args:
        arrays: the dataset; its arrays may be read-only and shared with other processes.
        rows: which rows, int [N].
        preprocessing: what the backbone wants.
        batch_size: samples a batch.
        device: where the batches are made.
    """

    def __init__(
        self,
        arrays: DatasetArrays,
        rows: np.ndarray,
        preprocessing: Preprocessing,
        batch_size: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self._arrays = arrays
        self._rows = np.asarray(rows, dtype=np.int64)
        self._preprocessing = preprocessing
        self._batch_size = batch_size
        self._device = torch.device(device)

    @property
    def num_samples(self) -> int:
        """How many samples an epoch has."""
        return len(self._rows)

    def __len__(self) -> int:
        """How many batches `epoch` yields: the optimiser's steps."""
        return len(self._bounds(merge_single=True))

    def epoch(self, seed: int, epoch: int, augmenter: Augmenter | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows once, shuffled and augmented; the same again for the same seed and epoch.

        A last batch of one sample is joined to the one before, because batch norm has no variance of one.

        Yields:
            images float32 [B, 3, R, R] and labels int64 [B].
        """
        order = np.random.default_rng(derive_seed(seed, "order", epoch)).permutation(self._rows)
        generator = torch.Generator().manual_seed(derive_seed(seed, "augment", epoch))
        for start, stop in self._bounds(merge_single=True):
            images, labels = self._batch(order[start:stop])
            yield (images if augmenter is None else augmenter(images, generator)), labels

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All rows once, in the order they were given, not augmented.

        Yields:
            images float32 [B, 3, R, R] and labels int64 [B].
        """
        for start, stop in self._bounds(merge_single=False):
            yield self._batch(self._rows[start:stop])

    def _bounds(self, merge_single: bool) -> list[tuple[int, int]]:
        count, size = len(self._rows), self._batch_size
        bounds = [(start, min(start + size, count)) for start in range(0, count, size)]
        if merge_single and len(bounds) > 1 and count % size == 1:
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
