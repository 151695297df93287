"""What a user may ask predictions for: image files, folders of images, tables that name images, arrays, pictures."""

import base64
import binascii
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from graft.core.errors import SpecError
from graft.core.passing_errors import machine_errors
from graft.data.contents.named_files import NamedFiles
from graft.data.contents.parts import Contents
from graft.data.read import Unreadable, read_file
from graft.data.tables.labelled import SUFFIXES
from graft.data.tables.samples import read_column
from graft.modalities.finding import Found, find_all, found_below
from graft.modalities.image.decode import decode_image, decode_picture
from graft.modalities.image.file_names import IMAGE_FILES
from graft.modalities.image.sources.cells import Base64Contents, are_base64
from graft.modalities.image.sources.image_folder import image_files
from graft.modalities.image.storage import COLUMNS, StoredImages, decode_square, square
from graft.modalities.protocol import Exhibit, Readings

IMAGE_COLUMNS = ("image", "path", "file", "filename")
"""What the column of the images may be called in a table that is not like the one trained on."""


@dataclass(frozen=True)
class CellImage:
    """An image in a cell of a table, read when it is needed.

    Attributes:
        source: such as ``photos.parquet:12``.
        cell: its place, or its text in base64.
        contents: reads it.
    """

    source: str
    cell: bytes
    contents: Contents

    def content(self) -> bytes:
        """The bytes of the file in the cell.

        Raises:
            Unreadable: they cannot be read.
        """
        return self.contents(self.cell)


_SHOWN_SIDE = 1024
"""Of what a person looks at."""

ImageLike = str | Path | bytes | np.ndarray | Image.Image | CellImage


@dataclass(frozen=True)
class ImageReader:
    """Reads images for prediction as ingest has read those of training.

    Attributes:
        stored: the form wanted.
    """

    stored: StoredImages

    def __call__(self, images: Sequence[Any]) -> Readings:
        """Squares uint8 [n, S, S, C] of the images that can be read.

        Args:
            images: file names, encoded bytes, PIL images, or uint8 arrays [H, W], [H, W, 1] or [H, W, 3].

        Raises:
            SpecError: an array is none of these.
        """
        squares: list[np.ndarray] = []
        errors: dict[int, str] = {}
        for number, image in enumerate(images):
            try:
                squares.append(self._square(image, _name(image, number)))
            except Unreadable as error:
                errors[number] = str(error)
        side = self.stored.stored_size
        stacked = np.stack(squares) if squares else np.empty((0, side, side, self.stored.channels), np.uint8)
        sources = tuple(_name(image, number) for number, image in enumerate(images))
        return Readings(sources, {COLUMNS[self.stored.aspects[0]]: stacked}, errors)

    def _square(self, image: ImageLike, name: str) -> np.ndarray:
        with machine_errors(name):
            if isinstance(image, Image.Image | np.ndarray):
                return square(_pixels(image, self.stored.max_pixels), self.stored, self.stored.aspects[0])
            return decode_square(_content(image), self.stored)


def _content(image: str | Path | bytes | CellImage) -> bytes:
    """The bytes of a file."""
    if isinstance(image, CellImage):
        return image.content()
    return image if isinstance(image, bytes) else read_file(Path(image))


def find_images(
    given: Iterable[str | Path], column: str | None = None, encoding: str = "utf-8"
) -> Found[Path | CellImage]:
    """The images meant by a list of files, folders (searched through) and tables.

    Args:
        given: as the command line has them.
        column: of the images in tables; `image`, `path`, `file` or `filename` where a table lacks it. Relative names
            in it are relative to the table.
        encoding: of tables.

    Raises:
        SpecError: one of them is missing or holds no image; all problems at once.
    """
    wanted = tuple(dict.fromkeys(name for name in (column, *IMAGE_COLUMNS) if name))
    return find_all(given, lambda path: _expand(path, wanted, encoding))


def _expand(path: Path, columns: tuple[str, ...], encoding: str) -> Iterable[Path | CellImage]:
    if path.is_dir():
        return found_below(path, image_files(path), "image")
    if not path.exists():
        raise SpecError(f"{path} does not exist; name an image, a folder or a table")
    if path.suffix.lower() in SUFFIXES:
        return _from_table(path, columns, encoding)
    return iter([path])


def _from_table(path: Path, columns: tuple[str, ...], encoding: str) -> Iterator[Path | CellImage]:
    found = read_column(path, columns, encoding)
    contents = found.contents or (Base64Contents() if are_base64(found.cells) else None)
    if contents is not None:
        return (CellImage(f"{path.name}:{row}", cell, contents) for row, cell in enumerate(found.cells, start=1))
    empty = [row for row, name in enumerate(found.cells, start=1) if not name]
    if empty:
        raise SpecError(f"{path} names no image in row {empty[0]}, but must in every row; fill it or drop the row")
    return (Path(os.fsdecode(file)) for file in NamedFiles(path, IMAGE_FILES.includes).paths(found.cells))


def _name(image: ImageLike, number: int) -> str:
    if isinstance(image, CellImage):
        return image.source
    return str(image) if isinstance(image, str | Path) else f"#{number}"


def _pixels(image: Image.Image | np.ndarray, max_pixels: int) -> np.ndarray:
    if isinstance(image, Image.Image):
        return decode_picture(image, max_pixels)
    is_picture = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if image.dtype != np.uint8 or not is_picture or not image.size:
        given = f"{image.dtype} {image.shape}"
        raise SpecError(f"an image array is {given}, but must be uint8 [H, W], [H, W, 1] or [H, W, 3]")
    return image


def exhibit_of(image: ImageLike, max_pixels: int) -> Exhibit:
    """The pixels of an image, encoded anew: nothing else that its file may hold reaches a browser.

    Raises:
        Unreadable: it cannot be read.
    """
    with machine_errors(_name(image, 0)):
        if isinstance(image, Image.Image | np.ndarray):
            pixels = _pixels(image, max_pixels)
        else:
            pixels = decode_image(_content(image), max_pixels, _SHOWN_SIDE)
    picture = Image.fromarray(pixels.squeeze(2) if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
    picture.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
    stream = io.BytesIO()
    picture.save(stream, format="PNG", compress_level=1)
    return Exhibit(content=stream.getvalue(), media_type="image/png")


def encode_cell(image: np.ndarray) -> str:
    """Pixels uint8 [H, W, C] as a PNG in base64."""
    stream = io.BytesIO()
    Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()


def decode_cell(row: int, cell: Any) -> bytes:
    """The bytes of an encoded image in base64.

    Raises:
        SpecError: it is not base64.
    """
    try:
        return base64.b64decode(cell, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise SpecError(f"image of row {row} is not base64 ({error}); encode the file's bytes") from error
