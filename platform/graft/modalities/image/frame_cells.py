"""Pictures that a program holds, as cells of a table: files by their paths, anything else as the bytes of a file."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from graft.data.read import read_file

_MEANT = "a path, encoded bytes, a PIL image, or an array [H, W], [H, W, C] or [C, H, W] of uint8 or of 0 to 1"


@dataclass(frozen=True)
class ImageCells:
    """How pictures are kept.

    Attributes:
        are_paths: whether all of them are paths, which are kept as such: the files are read when the table is.
    """

    are_paths: bool

    @property
    def kind(self) -> pa.DataType:
        """Paths as texts, else bytes."""
        return pa.string() if self.are_paths else pa.binary()

    def fingerprint(self, value: Any) -> bytes:
        """Its bytes as it holds them, and their shape."""
        match value:
            case None:
                return b""
            case bytes() | bytearray() | memoryview():
                return bytes(value)
            case str() | Path():
                return os.fsencode(os.path.abspath(os.path.expanduser(value)))
            case dict():
                path = str(value.get("path") or "").encode("utf-8", "surrogatepass")
                return (value.get("bytes") or b"") + path
            case Image.Image():
                return f"{value.mode} {value.size}".encode() + value.tobytes()
        array = _array(value)
        return b"" if array is None else f"{array.dtype} {array.shape}".encode() + array.tobytes()

    def stored(self, value: Any) -> Any:
        """An absolute path, or the bytes of a file.

        Raises:
            ValueError: it is no picture.
        """
        match value:
            case None:
                return None
            case bytes() | bytearray() | memoryview():
                return bytes(value)
            case str() | Path():
                path = os.path.abspath(os.path.expanduser(value))
                return path if self.are_paths else read_file(path)
            case {"bytes": bytes(content)}:
                return content
            case {"path": str(path)}:
                return read_file(path)
            case Image.Image():
                return _encoded(value)
        array = _array(value)
        if array is None:
            raise ValueError(f"is of type {type(value).__name__}, but must be {_MEANT}")
        return _encoded(Image.fromarray(_as_picture(array)))


def cells_for(first: Any) -> ImageCells:
    """How pictures like the first one are kept."""
    return ImageCells(isinstance(first, str | Path))


def is_sample(value: Any) -> bool:
    """Whether a value looks like a picture, and not like a text or a label."""
    if isinstance(value, dict):
        return "bytes" in value
    if isinstance(value, Image.Image | Path | bytes | bytearray):
        return True
    array = _array(value)
    return array is not None and array.ndim in (2, 3)


def _array(value: Any) -> np.ndarray | None:
    """An array, or what becomes one without a copy of its meaning: a tensor."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        found: np.ndarray = value.detach().cpu().numpy()
        return found
    return None


def _as_picture(array: np.ndarray) -> np.ndarray:
    """uint8 [H, W], [H, W, 3] or [H, W, 4].

    Raises:
        ValueError: it is no picture.
    """
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not array.size or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise ValueError(f"is an array {array.shape}, but must be {_MEANT}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == bool:
        return np.ascontiguousarray(array, dtype=np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also where one is no number
            raise ValueError(f"has values from {low:g} to {high:g}, whose white is not defined; scale them to 0 to 1")
        return np.ascontiguousarray(np.round(array * np.float32(255)).astype(np.uint8))
    raise ValueError(f"is an array of {array.dtype}, but must be {_MEANT}")


def _encoded(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture = picture if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else picture.convert("RGB")
    picture.save(stream, "PNG", compress_level=1)
    return stream.getvalue()
