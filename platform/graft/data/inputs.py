"""What a network is given for some rows of a dataset: images, or what its frozen part makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from graft.core.seeds import derive_seed
from graft.data.augment import Augmenter
from graft.data.feature_store.features import Features
from graft.spec.preprocessing import Preprocessing

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Views:
    """A fixed number of random augmentations of every image, which epochs rotate through.

    What an image becomes depends on the seed, the view and its row, so it is the same in every batch, epoch, trial and
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

    def apply(self, images: Tensor, rows: Rows, view: int) -> Tensor:
        """Augment images [B, C, H, W] of these rows [B]."""
        # One stream for all rows, read up to the last that is needed, so that a row's numbers are its own.
        generator = torch.Generator().manual_seed(derive_seed(self.seed, "view", view))
        draws = self.augmenter.draw_rows(int(rows.max(initial=-1)) + 1, generator)
        return self.augmenter.apply(images, draws[:, torch.from_numpy(rows)])


class Inputs(Protocol):
    """Gives what a network takes; on the device it is used on."""

    def plain(self, rows: Rows) -> Tensor:
        """Float [B, …] of rows [B], not augmented."""

    def view(self, rows: Rows, views: Views, index: int) -> Tensor:
        """Float [B, …] of one stored augmentation of rows [B]."""


@dataclass(frozen=True)
class Images:
    """The images themselves, preprocessed.

    Attributes:
        stored: uint8 [N, S, S, C].
        preprocessing: what the backbone wants.
        device: where they are made.
    """

    stored: np.ndarray
    preprocessing: Preprocessing
    device: torch.device

    def plain(self, rows: Rows) -> Tensor:
        """Float32 [B, 3, R, R]."""
        return normalise(self.stored[rows], self.preprocessing, self.device)

    def view(self, rows: Rows, views: Views, index: int) -> Tensor:
        """Float32 [B, 3, R, R]."""
        return views.apply(self.plain(rows), rows, index)


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
    """What the frozen blocks make of the images, from the feature store.

    Attributes:
        parts: by view, None for the plain images; the parts of a view have no row in common.
        device: where the features go.
    """

    parts: Mapping[int | None, Sequence[Part]]
    device: torch.device

    def plain(self, rows: Rows) -> Tensor:
        """Float32 [B, *shape of a feature]."""
        return self._take(rows, None)

    def view(self, rows: Rows, views: Views, index: int) -> Tensor:
        """Float32 [B, *shape of a feature]."""
        return self._take(rows, index)

    def _take(self, rows: Rows, view: int | None) -> Tensor:
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
        return sent(taken, self.device)


def _empty(shape: tuple[int, ...]) -> Tensor:
    # As the blocks below would have laid it out, also where height and width are 1 and `contiguous` sees no difference:
    # the layout decides which kernel computes, and with it the last bits.
    return torch.empty(shape, memory_format=torch.channels_last if len(shape) == 4 else torch.contiguous_format)


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """On a device; to a GPU from page-locked memory, so that nobody waits for the copy but who needs its result."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


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
    pixels = sent(stored, torch.device(device)).permute(0, 3, 1, 2).float().div_(255).contiguous()
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
