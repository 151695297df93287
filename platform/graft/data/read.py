"""How a listed sample becomes pixels; readers are small and picklable, because they run on the cluster's machines."""

import os
import stat
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from graft.data.decode import Unreadable, decode_image

MAX_FILE_BYTES = 512 * 1024**2
"""No image is larger; a disk image named .png must not be read into memory to find that out."""


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


def read_file(path: bytes | str | os.PathLike[str]) -> bytes:
    """The content of a regular file of bearable size.

    Raises:
        Unreadable: it cannot be opened, is no regular file (a pipe would wait for ever), or is too large.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise Unreadable("is not a regular file")
        if found.st_size > MAX_FILE_BYTES:
            raise Unreadable(f"has {found.st_size / 1024**2:.0f} MiB, more than an image can have")
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise Unreadable(f"cannot be read ({error.strerror or error})") from error
