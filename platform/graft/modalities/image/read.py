"""How a listed image becomes pixels; readers are small and picklable, because they run on the cluster's machines."""

import os
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from graft.core.passing_errors import machine_errors, printable_path
from graft.data.contents.parts import Contents
from graft.data.read import read_file
from graft.modalities.image.decode import decode
from graft.modalities.image.look import Look


class ReadImage(NamedTuple):
    """What a reader gives.

    Attributes:
        content: identifies the sample.
        picture: uint8 [H, W], [H, W, 1] or [H, W, 3], or RGB as Pillow keeps it: what is resized anyway stays there.
        remark: what was assumed to read it, to fit behind "3 images"; empty if nothing was.
        look: what its file says of it, where there is one.
        suffix: of the file's name, lower case, with the dot; empty where there is none.
    """

    content: bytes
    picture: np.ndarray | Image.Image
    remark: str = ""
    look: Look | None = None
    suffix: str = ""

    @property
    def pixels(self) -> np.ndarray:
        """The picture as an array."""
        return self.picture if isinstance(self.picture, np.ndarray) else np.array(self.picture)


class Reader(Protocol):
    """Reads one sample.

    Args (of the call):
        source: the sample's entry in `Listing.sources`.
        min_side: a side the image is going to be shrunk to; a reader may decode fewer pixels while it keeps twice that.

    Raises `Unreadable` for what the bytes are to blame for, `ResourceError` for what the machine is.
    """

    def __call__(self, source: bytes, min_side: int) -> ReadImage: ...


@dataclass(frozen=True)
class FileReader:
    """Reads image files; a source is the file's absolute path in the file system's own bytes.

    Attributes:
        max_pixels: larger images are refused before they are decoded.
    """

    max_pixels: int

    def __call__(self, source: bytes, min_side: int) -> ReadImage:
        with machine_errors(printable_path(source)):
            content = read_file(source)
            picture = decode(content, self.max_pixels, min_side)
        suffix = os.path.splitext(os.fsdecode(source))[1].lower()
        return ReadImage(content, picture.image, picture.remark, picture.look, suffix)


@dataclass(frozen=True)
class EncodedReader:
    """Reads images that lie, as files do, in something larger: an archive, a column of a table.

    Attributes:
        contents: gives the bytes behind a source.
        max_pixels: larger images are refused before they are decoded.
    """

    contents: Contents
    max_pixels: int

    def __call__(self, source: bytes, min_side: int) -> ReadImage:
        content = self.contents(source)
        with machine_errors("an image"):
            picture = decode(content, self.max_pixels, min_side)
        return ReadImage(content, picture.image, picture.remark, picture.look)


@dataclass(frozen=True)
class PixelReader:
    """Reads images that are already pixels; a source is the image's raw bytes.

    Attributes:
        shape: (H, W) or (H, W, 3).
    """

    shape: tuple[int, ...]

    def __call__(self, source: bytes, min_side: int) -> ReadImage:
        return ReadImage(source, np.frombuffer(source, dtype=np.uint8).reshape(self.shape))
