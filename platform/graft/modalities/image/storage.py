"""How images are kept: as squares of uint8; ingest and prediction share it, so both see the same pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from graft.core.errors import ArtifactError
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.listing import DecodedBlock
from graft.data.read import Unreadable
from graft.modalities.image.decode import decode_image
from graft.modalities.image.info import PIXELS
from graft.modalities.image.read import Reader
from graft.modalities.image.signs import SignRecorder
from graft.spec.modalities.image import DEFAULT_MAX_PIXELS, ImagePreprocessing

Interpolation = Literal["bilinear", "bicubic"]

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_REDUCING_GAP = 3.0
"""Large images are first shrunk by whole factors, to no less than three times the target; PIL's advice."""


@dataclass(frozen=True)
class StoredImages:
    """How images are kept after ingest.

    Attributes:
        stored_size: side of the square, in pixels.
        channels: 3 for RGB, 1 for grey.
        interpolation: how they were resized.
        max_pixels: larger ones were not decoded.
        column: of the images in the table that they came from, if they did.
        encoding: of that table.
    """

    stored_size: int
    channels: Literal[1, 3] = 3
    interpolation: Interpolation = "bicubic"
    max_pixels: int = DEFAULT_MAX_PIXELS
    column: str | None = None
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ArtifactError(f"stored form has {self.channels} channels, but must have 1 or 3")
        if self.interpolation not in _FILTERS:
            raise ArtifactError(f"interpolation is `{self.interpolation}`, but must be one of {', '.join(_FILTERS)}")
        if self.stored_size < 1:
            raise ArtifactError(f"stored size is {self.stored_size}, but must be at least 1")

    @classmethod
    def of(cls, preprocessing: ImagePreprocessing) -> "StoredImages":
        """The part of a preprocessing that is done once, at ingest."""
        return cls(
            preprocessing.stored_size,
            preprocessing.channels,
            preprocessing.interpolation,
            preprocessing.max_pixels,
            preprocessing.image_column,
            preprocessing.encoding,
        )

    def spec(self) -> StorageSpec:
        """The same, as a dataset knows it."""
        column = ColumnSpec(PIXELS, "uint8", (self.stored_size, self.stored_size, self.channels))
        # Fingerprints of earlier versions had this text in them: the same data keeps its own.
        identity = (
            f"StoredForm(stored_size={self.stored_size}, channels={self.channels}, "
            f"interpolation={self.interpolation!r})"
        )
        return StorageSpec("image", (column,), asdict(self), identity)

    @classmethod
    def from_spec(cls, spec: StorageSpec) -> "StoredImages":
        """The inverse of `spec`."""
        return cls(**spec.form)


@dataclass(frozen=True)
class ImageDecoder:
    """Reads and squares the images of one block.

    Attributes:
        reader: turns a source into pixels.
        stored: the form wanted.
    """

    reader: Reader
    stored: StoredImages

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        """Squares uint8 [n, S, S, C], black where an image is unreadable."""
        side = self.stored.stored_size
        images = np.zeros((len(sources), side, side, self.stored.channels), dtype=np.uint8)
        recorder = SignRecorder(len(sources))
        block = DecodedBlock({PIXELS: images}, [""] * len(sources), [""] * len(sources))
        for index, source in enumerate(sources):
            try:
                found = self.reader(source, side)
            except Unreadable as error:
                block.leave_out(index, error)
                continue
            images[index] = square(found.pixels, self.stored)
            recorder.see(index, found.pixels, found.look, found.suffix)
            block.digests[index] = hashlib.sha256(found.content).hexdigest()
            if found.remark:
                block.remarks[index] = found.remark
        return replace(block, signs=recorder.signs())


def square(image: np.ndarray, stored: StoredImages) -> np.ndarray:
    """Resize the short side to the stored size, with anti-aliasing, and keep the middle square.

    Only the square is computed, so an image of one by a million pixels stays small.

    Args:
        image: uint8 [height, width], [height, width, 1] or [height, width, 3].
        stored: the form wanted.

    Returns:
        uint8 [stored_size, stored_size, channels]; grey is repeated, colour is weighted to grey (ITU-R 601).
    """
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    picture = Image.fromarray(np.ascontiguousarray(flat)).convert("L" if stored.channels == 1 else "RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    size = (stored.stored_size, stored.stored_size)
    resized = picture.resize(size, _FILTERS[stored.interpolation], box=box, reducing_gap=_REDUCING_GAP)
    return np.array(resized).reshape(*size, stored.channels)


def decode_square(content: bytes, stored: StoredImages) -> np.ndarray:
    """Bytes of an image file to the stored square; what prediction does to a file.

    Returns:
        uint8 [stored_size, stored_size, channels].

    Raises:
        Unreadable: the bytes are no usable image.
    """
    return square(decode_image(content, stored.max_pixels, min_side=stored.stored_size), stored)
