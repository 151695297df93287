"""From stored images to what a backbone takes; training and prediction share it."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graft.core.errors import ArtifactError
from graft.data.augmentation.draws import Draws, Rows
from graft.data.batch import Batch, to_device
from graft.data.columns import Column
from graft.data.inputs import Augmenter, Views
from graft.data.streaming.reading import Reading
from graft.data.streaming.samples import StreamedColumn
from graft.modalities.image.info import PIXELS, ImageInput
from graft.modalities.image.storage import COLUMNS, StoredImages
from graft.spec.modalities.image import Aspect, ImagePreprocessing


@dataclass(frozen=True)
class ImageInputs:
    """The images themselves, preprocessed.

    Attributes:
        stored: uint8 [N, S, S, C], or a stream of them.
        preprocessing: what the backbone wants.
        device: where they are made.
    """

    stored: np.ndarray | StreamedColumn
    preprocessing: ImagePreprocessing
    device: torch.device
    lengths: ClassVar[None] = None
    fixed: ClassVar[None] = None

    def ahead(self, reading: Reading, rank: int) -> AbstractContextManager[None]:
        """A stream decodes these rows ahead."""
        return self.stored.ahead(reading, rank) if isinstance(self.stored, StreamedColumn) else nullcontext()

    def plain(self, rows: Rows) -> Batch:
        """Pixels float32 [B, 3, R, R]."""
        return Batch({PIXELS: preprocess(self.stored[rows], self.preprocessing, self.device)})

    def augmented(self, augmenter: Augmenter, draws: Draws) -> Batch:
        """Pixels float32 [B, 3, R, R]; the augmenter sees them from 0 to 1, before normalisation."""
        seen = scaled(self.stored[draws.rows], self.preprocessing, self.device)
        changed = augmenter.apply(Batch({PIXELS: seen}), draws)
        return Batch({PIXELS: normalised(changed[PIXELS], self.preprocessing)})

    def view(self, rows: Rows, views: Views, index: int) -> Batch:
        """Pixels float32 [B, 3, R, R] of one stored augmentation."""
        return self.augmented(views.augmenter, views.draws(rows, index))


def image_inputs(columns: Mapping[str, Column], preprocessing: ImagePreprocessing, device: torch.device) -> ImageInputs:
    """Inputs from the columns of a dataset."""
    stored = columns[COLUMNS[preprocessing.aspect]]
    assert isinstance(stored, np.ndarray | StreamedColumn), "images have one shape"
    return ImageInputs(stored, preprocessing, device)


def preprocessing_of(
    stored: StoredImages, resolution: int, wanted: ImageInput, aspect: Aspect = "crop"
) -> ImagePreprocessing:
    """From the stored form to what the backbone was trained on.

    Raises:
        ArtifactError: images are not stored in this aspect.
    """
    if aspect not in stored.aspects:
        there = ", ".join(stored.aspects)
        raise ArtifactError(f"dataset has the aspects {there}, but needs {aspect}; ingest it again for this space")
    return ImagePreprocessing(
        stored_size=stored.stored_size,
        resolution=resolution,
        channels=stored.channels,
        interpolation=stored.interpolation,
        mean=wanted.mean,
        std=wanted.std,
        max_pixels=stored.max_pixels,
        image_column=stored.column,
        encoding=stored.encoding,
        aspect=aspect,
    )


def preprocess(images: np.ndarray, preprocessing: ImagePreprocessing, device: torch.device | str = "cpu") -> Tensor:
    """Stored images to pixels.

    Args:
        images: uint8 [B, S, S, C].
        preprocessing: resolution, mean and std wanted.
        device: where to compute; the bytes travel, not the floats.

    Returns:
        float32 [B, 3, R, R]: resized with anti-aliasing if S is not R, grey repeated, (x / 255 - mean) / std.
    """
    return normalised(scaled(images, preprocessing, device), preprocessing)


def scaled(images: np.ndarray, preprocessing: ImagePreprocessing, device: torch.device | str = "cpu") -> Tensor:
    """Stored images to pixels from 0 to 1, float32 [B, C, R, R]: what augmentations see; grey has one channel."""
    # A tensor of a read-only array could be written to, so torch wants a writeable one.
    stored = torch.from_numpy(np.require(images, np.uint8, ["C", "W"]))
    # Moved as bytes, converted there: a quarter of the traffic.
    pixels = to_device(stored, torch.device(device)).permute(0, 3, 1, 2).float().div_(255).contiguous()
    side = preprocessing.resolution
    if pixels.shape[2:] != (side, side):
        mode = preprocessing.interpolation
        # Bicubic overshoots at edges; light beyond white does not exist in training.
        pixels = functional.interpolate(pixels, (side, side), mode=mode, antialias=True, align_corners=False).clamp_(
            0, 1
        )
    return pixels


def normalised(pixels: Tensor, preprocessing: ImagePreprocessing) -> Tensor:
    """Pixels from 0 to 1, float [B, 1 or 3, R, R], as the backbone was trained with them: [B, 3, R, R]."""
    mean = torch.tensor(preprocessing.mean, device=pixels.device).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.std, device=pixels.device).view(1, 3, 1, 1)
    return (pixels - mean) / std
