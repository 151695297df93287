"""How images are kept: as squares of uint8; ingest and prediction share it, so both see the same pixels."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image

from graft.core.errors import ArtifactError
from graft.data.columns import Column, ColumnSpec, StorageSpec
from graft.data.listing import DecodedBlock
from graft.data.read import Unreadable
from graft.modalities.image.decode import decode
from graft.modalities.image.info import PIXELS
from graft.modalities.image.read import Reader
from graft.modalities.image.signs import SignRecorder
from graft.spec.modalities.image import DEFAULT_MAX_PIXELS, Aspect, ImagePreprocessing

Interpolation = Literal["bilinear", "bicubic"]

_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_REDUCING_GAP = 3.0
"""Large images are first shrunk by whole factors, to no less than three times the target; PIL's advice."""


COLUMNS: Mapping[Aspect, str] = {"pad": f"{PIXELS}_pad", "squash": f"{PIXELS}_squash", "crop": PIXELS}
"""Column of the squares of each aspect; those that show the most of an image first."""


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
        aspects: how they were made square: once for each way that some strategy of the space asks for.
    """

    stored_size: int
    channels: Literal[1, 3] = 3
    interpolation: Interpolation = "bicubic"
    max_pixels: int = DEFAULT_MAX_PIXELS
    column: str | None = None
    encoding: str = "utf-8"
    aspects: tuple[Aspect, ...] = ("crop",)

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
            (preprocessing.aspect,),
        )

    def spec(self) -> StorageSpec:
        """The same, as a dataset knows it."""
        shape = (self.stored_size, self.stored_size, self.channels)
        columns = tuple(ColumnSpec(COLUMNS[aspect], "uint8", shape) for aspect in self.aspects)
        # Fingerprints of earlier versions had this text in them: the same data keeps its own.
        identity = (
            f"StoredForm(stored_size={self.stored_size}, channels={self.channels}, "
            f"interpolation={self.interpolation!r})"
        )
        form = {**asdict(self), "aspects": list(self.aspects)}
        if self.aspects == ("crop",):
            del form["aspects"]
        else:
            identity += f" {'+'.join(self.aspects)}"
        return StorageSpec("image", columns, form, identity)

    @classmethod
    def from_spec(cls, spec: StorageSpec) -> "StoredImages":
        """The inverse of `spec`."""
        return cls(**{**spec.form, "aspects": tuple(spec.form.get("aspects", ("crop",)))})


@dataclass(frozen=True)
class ImageDecoder:
    """Reads and squares the images of one block.

    Attributes:
        reader: turns a source into pixels.
        stored: the form wanted.
        looks: whether what is seen in the images is noted (`graft.modalities.image.signs`).
    """

    reader: Reader
    stored: StoredImages
    looks: bool = True

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        """Squares uint8 [n, S, S, C] of every aspect, black where an image is unreadable."""
        side = self.stored.stored_size
        shape = (len(sources), side, side, self.stored.channels)
        squares = {aspect: np.zeros(shape, dtype=np.uint8) for aspect in self.stored.aspects}
        recorder = SignRecorder(len(sources)) if self.looks else None
        columns = {COLUMNS[aspect]: images for aspect, images in squares.items()}
        block = DecodedBlock(columns, [""] * len(sources), [""] * len(sources))
        for index, source in enumerate(sources):
            try:
                found = self.reader(source, side)
            except Unreadable as error:
                block.leave_out(index, error)
                continue
            picture = as_picture(found.picture)
            for aspect, images in squares.items():
                images[index] = _square(picture, self.stored, aspect)
            if recorder is not None:
                recorder.see(index, picture, found.look, found.suffix)
            block.digests[index] = hashlib.sha256(found.content).hexdigest()
            if found.remark:
                block.remarks[index] = found.remark
        return block if recorder is None else replace(block, signs=recorder.signs())


def shown(columns: Mapping[str, Column]) -> Column:
    """The stored squares that show the most of the images."""
    return next(columns[name] for name in COLUMNS.values() if name in columns)


def square(image: np.ndarray, stored: StoredImages, aspect: Aspect = "crop") -> np.ndarray:
    """Make an image a square of the stored size, with anti-aliasing.

    Only the square is computed, so an image of one by a million pixels stays small.

    Args:
        image: uint8 [height, width], [height, width, 1] or [height, width, 3].
        stored: the form wanted.
        aspect: crop resizes the short side and keeps the middle; squash resizes each side by itself; pad resizes the
            long side, and fills up both sides of the other with the median colour of the image's border.

    Returns:
        uint8 [stored_size, stored_size, channels]; grey is repeated, colour is weighted to grey (ITU-R 601).
    """
    return _square(as_picture(image), stored, aspect)


def as_picture(image: np.ndarray | Image.Image) -> Image.Image:
    """Pixels as Pillow keeps them."""
    if isinstance(image, Image.Image):
        return image
    flat = image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image
    return Image.fromarray(np.ascontiguousarray(flat))


def _square(image: Image.Image, stored: StoredImages, aspect: Aspect) -> np.ndarray:
    mode = "L" if stored.channels == 1 else "RGB"
    picture = image if image.mode == mode else image.convert(mode)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side) if aspect == "crop" else (0, 0, picture.width, picture.height)
    width, height = _inner(picture, stored.stored_size) if aspect == "pad" else (stored.stored_size,) * 2
    resized = picture.resize((width, height), _FILTERS[stored.interpolation], box=box, reducing_gap=_REDUCING_GAP)
    return _filled_up(np.array(resized).reshape(height, width, stored.channels), stored.stored_size)


def _inner(picture: Image.Image, size: int) -> tuple[int, int]:
    """Width and height whose longer one is the size, in proportion."""
    scale = size / max(picture.size)
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))


def _filled_up(image: np.ndarray, size: int) -> np.ndarray:
    """An image [h, w, C] in the middle of a square of the median colour of its border."""
    height, width, channels = image.shape
    if height == width == size:
        return image
    edges = [image[0], image[-1], image[:, 0], image[:, -1]]
    colour = np.median(np.concatenate(edges), axis=0).astype(np.uint8)
    filled = np.broadcast_to(colour, (size, size, channels)).copy()
    top, left = (size - height) // 2, (size - width) // 2
    filled[top : top + height, left : left + width] = image
    return filled


def decode_square(content: bytes, stored: StoredImages) -> np.ndarray:
    """Bytes of an image file to the first of the stored squares; what prediction does to a file.

    Returns:
        uint8 [stored_size, stored_size, channels].

    Raises:
        Unreadable: the bytes are no usable image.
    """
    picture = decode(content, stored.max_pixels, min_side=stored.stored_size).image
    return _square(picture, stored, stored.aspects[0])
