"""What a user may ask predictions for: image files, folders of images, tables that name images, arrays, pictures."""

import base64
import binascii
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from graft.core.errors import Problem, SpecError
from graft.data.read import Unreadable, read_file
from graft.modalities.image.decode import pixels_of
from graft.modalities.image.info import PIXELS
from graft.modalities.image.sources.image_folder import image_files
from graft.modalities.image.storage import StoredImages, decode_square, square
from graft.modalities.protocol import Readings

if TYPE_CHECKING:
    import pandas as pd

MAX_PIXELS = 50_000_000

TABLES = (".csv", ".tsv", ".parquet")
IMAGE_COLUMNS = ("image", "path", "file", "filename")


ImageLike = str | Path | bytes | np.ndarray | Image.Image


@dataclass(frozen=True)
class ImageReader:
    """Reads images for prediction as ingest has read those of training.

    Attributes:
        stored: the form wanted.
        max_pixels: an image that says it has more pixels is not decoded.
    """

    stored: StoredImages
    max_pixels: int = MAX_PIXELS

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
                squares.append(self._square(image))
            except Unreadable as error:
                errors[number] = str(error)
        side = self.stored.stored_size
        stacked = np.stack(squares) if squares else np.empty((0, side, side, self.stored.channels), np.uint8)
        sources = tuple(_name(image, number) for number, image in enumerate(images))
        return Readings(sources, {PIXELS: stacked}, errors)

    def _square(self, image: ImageLike) -> np.ndarray:
        if isinstance(image, Image.Image | np.ndarray):
            return square(_pixels(image), self.stored)
        content = image if isinstance(image, bytes) else read_file(Path(image))
        return decode_square(content, self.stored, self.max_pixels)


def image_paths(given: Iterable[str | Path]) -> list[Path]:
    """The image files meant by a list of files, folders (searched through) and tables.

    A table is CSV, TSV or Parquet with a column named `image`, `path`, `file` or `filename`; relative names in it are
    relative to the table.

    Raises:
        SpecError: one of them is missing or holds no image; all problems at once.
    """
    found: list[Path] = []
    problems: list[Problem] = []
    for path in map(Path, given):
        try:
            found += _expand(path)
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(problems)
    return found


def _expand(path: Path) -> Iterator[Path]:
    if path.is_dir():
        images = image_files(path)
        if not images:
            raise SpecError(f"{path} holds no image; name a folder that does")
        return iter(images)
    if not path.exists():
        raise SpecError(f"{path} does not exist; name an image, a folder or a table")
    if path.suffix.lower() in TABLES:
        return _from_table(path)
    return iter([path])


def _from_table(path: Path) -> Iterator[Path]:
    try:
        table = _read_table(path)
    except (ValueError, OSError) as error:
        raise SpecError(f"{path} cannot be read as a table ({str(error).splitlines()[0]})") from error
    column = next((name for name in IMAGE_COLUMNS if name in table.columns), None)
    if column is None:
        there, wanted = ", ".join(map(str, table.columns)), ", ".join(IMAGE_COLUMNS)
        raise SpecError(f"{path} has the columns {there}, but needs one of {wanted}")
    empty = [row for row, name in enumerate(table[column], start=1) if not isinstance(name, str)]
    if empty:
        raise SpecError(
            f"{path}: `{column}` is empty in row {empty[0]}, but must name an image; fill it or drop the row"
        )
    return (path.parent / str(name) for name in table[column])


def _read_table(path: Path) -> "pd.DataFrame":
    import pandas as pd  # not for one image: it takes a third of a second to import

    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path)
    # As text, because a file may be called 007.
    return pd.read_csv(path, dtype=str, sep="\t" if path.suffix.lower() == ".tsv" else ",")


def _name(image: ImageLike, number: int) -> str:
    return str(image) if isinstance(image, str | Path) else f"#{number}"


def _pixels(image: Image.Image | np.ndarray) -> np.ndarray:
    if isinstance(image, Image.Image):
        return pixels_of(image)
    is_picture = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 3))
    if image.dtype != np.uint8 or not is_picture or not image.size:
        given = f"{image.dtype} {image.shape}"
        raise SpecError(f"an image array is {given}, but must be uint8 [H, W], [H, W, 1] or [H, W, 3]")
    return image


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
