"""How a listed image becomes pixels; readers are small and picklable, because they run on the cluster's machines."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graft.data.read import read_file
from graft.modalities.image.decode import decode_image


class Reader(Protocol):
    """Reads one sample.

    Args (of the call):
        source: the sample's entry in `Listing.sources`.
        min_side: a side the image is going to be shrunk to; a reader may decode fewer pixels while it keeps twice that.

    Returns the content that identifies the sample, and uint8 pixels [H, W], [H, W, 1] or [H, W, 3].
    Raises `Unreadable`.
    """

    def __call__(self, source: bytes, min_side: int) -> tuple[bytes, np.ndarray]: ...


@dataclass(frozen=True)
class FileReader:
    """Reads image files; a source is the file's absolute path in the file system's own bytes.

    Attributes:
        max_pixels: larger images are refused before they are decoded.
    """

    max_pixels: int

    def __call__(self, source: bytes, min_side: int) -> tuple[bytes, np.ndarray]:
        content = read_file(source)
        return content, decode_image(content, self.max_pixels, min_side)


@dataclass(frozen=True)
class PixelReader:
    """Reads images that are already pixels; a source is the image's raw bytes.

    Attributes:
        shape: (H, W) or (H, W, 3).
    """

    shape: tuple[int, ...]

    def __call__(self, source: bytes, min_side: int) -> tuple[bytes, np.ndarray]:
        return source, np.frombuffer(source, dtype=np.uint8).reshape(self.shape)
