"""IDX files, the format of MNIST and of the sets that took its place (LeCun, Cortes, Burges).

A file is a magic number (two zero bytes, the type code 8 for uint8, the number of dimensions), one big-endian 32-bit
size for each dimension, and the values. Nothing in a header is believed before the bytes behind it have been counted.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.core.storage import canonical_json, text_digest
from graft.data.dataset import Split
from graft.data.listing import Listing, Progress, require_directory
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.modalities.image.read import PixelReader
from graft.spec.modalities.image import IdxData

MAX_BYTES = 4 * 1024**3
"""A header that promises more is refused."""

_UINT8 = 0x08
_CHUNK = 16 * 1024**2


@dataclass(frozen=True)
class _Part:
    """The images and labels of one half of the set ("train" or "t10k")."""

    name: str
    files: tuple[Path, Path]
    images: np.ndarray
    labels: np.ndarray


def list_idx(spec: IdxData, progress: Progress | None = None) -> Listing:
    """List a directory of ``{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]``.

    The t10k pair is the test set; without it, one is drawn.

    Raises:
        DataError: a file is missing, damaged, or says another size than it has; images and labels differ in number; a
            label has no class, or a class no image.
    """
    directory = require_directory(spec.path)
    train = _read_part(directory, "train", spec.max_pixels)
    parts = [train]
    if any(_find(directory, f"t10k-{name}") for name in ("images-idx3-ubyte", "labels-idx1-ubyte")):
        parts.append(_read_part(directory, "t10k", spec.max_pixels))
    if len({part.images.shape[1:] for part in parts}) > 1:
        sizes = " and ".join(f"{part.images.shape[2]} x {part.images.shape[1]}" for part in parts)
        raise DataError(f"{directory}: training and test images have {sizes} pixels, but must have the same size")
    names, codes = _classes(spec.classes, train.labels, directory)
    labels = np.concatenate([_encode(part, codes) for part in parts])
    images = np.concatenate([part.images for part in parts])
    if progress is not None:
        progress(len(images))
    return Listing(
        source=f"IDX files in {directory}",
        ids=tuple(f"{part.name}/{index}" for part in parts for index in range(len(part.labels))),
        targets=RawTargets(labels, names),
        given=np.concatenate([np.full(len(p.labels), _given(p.name), dtype=np.uint8) for p in parts]),
        identity=_identity(parts, names),
        sources=_Rows(images),
        reader=PixelReader(images.shape[1:]),
        facts={"channels": 1, "native_side": min(images.shape[1:]), "max_pixels": spec.max_pixels},
    )


def read_idx(path: Path, num_dimensions: int) -> np.ndarray:
    """Read one IDX file of unsigned bytes, gzipped or not.

    Returns:
        uint8, of as many dimensions as asked for.

    Raises:
        DataError: it is no such file, or its header says another size than it has.
    """
    try:
        with machine_errors(path), gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            stream = cast(IO[bytes], opened)
            shape = _read_header(stream, path, num_dimensions)
            values = _read_values(stream, math.prod(shape))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}); fetch it again") from error
    if len(values) != math.prod(shape):
        size = " x ".join(str(side) for side in shape)
        holds = "more" if len(values) > math.prod(shape) else f"only {len(values)}"
        raise DataError(
            f"{path}: the header promises {size} = {math.prod(shape)} bytes, but the file holds {holds}; fetch it again"
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


class _Rows(Sequence[bytes]):
    """Each image's raw bytes, made when asked for: 70,000 small objects are not kept."""

    def __init__(self, images: np.ndarray) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, row: int) -> bytes:  # type: ignore[override]  # slices are never asked for
        return cast(bytes, self._images[row].tobytes())


def _read_part(directory: Path, name: str, max_pixels: int) -> _Part:
    files = (_require(directory, f"{name}-images-idx3-ubyte"), _require(directory, f"{name}-labels-idx1-ubyte"))
    images, labels = read_idx(files[0], 3), read_idx(files[1], 1)
    if len(images) != len(labels):
        raise DataError(
            f"{files[0]} has {len(images)} images, but {files[1].name} has {len(labels)} labels; fetch both again"
        )
    if images.size == 0:
        raise DataError(f"{files[0]} has no images of at least one pixel (its size is {images.shape}); fetch it again")
    if images[0].size > max_pixels:
        raise DataError(
            f"{files[0]}: an image has {images[0].size} pixels, more than data.max_pixels allows ({max_pixels})"
        )
    return _Part(name, files, images, labels)


def _require(directory: Path, name: str) -> Path:
    found = _find(directory, name)
    if found is None:
        raise DataError(f"{directory} has no {name}.gz (nor without .gz), but a set of IDX files needs it")
    return found


def _find(directory: Path, name: str) -> Path | None:
    candidates = (directory / name, directory / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _read_header(stream: IO[bytes], path: Path, num_dimensions: int) -> tuple[int, ...]:
    header = stream.read(4 + 4 * num_dimensions)
    wanted = bytes((0, 0, _UINT8, num_dimensions))
    if header[:4] != wanted:
        raise DataError(
            f"{path} starts with {header[:4].hex() or 'nothing'}, but IDX bytes in {num_dimensions} dimensions "
            f"start with {wanted.hex()}; is it another file, or compressed without the name .gz?"
        )
    if len(header) < 4 + 4 * num_dimensions:
        raise DataError(f"{path} ends inside its header; fetch it again")
    shape = struct.unpack(f">{num_dimensions}I", header[4:])
    if math.prod(shape) > MAX_BYTES:
        raise DataError(
            f"{path}: the header promises {math.prod(shape)} bytes, but may at most {MAX_BYTES}; fetch the file again"
        )
    return shape


def _read_values(stream: IO[bytes], expected: int) -> bytearray:
    """Up to one byte more than expected: enough to tell, and memory grows only with what is really there."""
    values = bytearray()
    while len(values) <= expected:
        chunk = stream.read(min(_CHUNK, expected + 1 - len(values)))
        if not chunk:
            break
        values += chunk
    return values


def _classes(given: Sequence[str] | None, labels: np.ndarray, directory: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Names, and the label value that each stands for."""
    present = np.unique(labels)
    if given is None:
        return tuple(str(value) for value in present), present
    if present[-1] >= len(given):
        raise DataError(
            f"{directory} has the label {present[-1]}, but data.classes names 0 to {len(given) - 1}; name all"
        )
    absent = [given[value] for value in range(len(given)) if value not in present]
    if absent:
        raise DataError(f"{directory} has no training image of the class `{absent[0]}`; remove it from data.classes")
    return tuple(given), np.arange(len(given))


def _encode(part: _Part, codes: np.ndarray) -> np.ndarray:
    strange = np.setdiff1d(part.labels, codes)
    if len(strange):
        raise DataError(
            f"{part.files[1]} has the label {strange[0]}, which no training image has; labels must be known classes"
        )
    return np.searchsorted(codes, part.labels).astype(np.int64)


def _given(name: str) -> int:
    return int(Split.TEST) if name == "t10k" else UNASSIGNED


def _identity(parts: Sequence[_Part], names: tuple[str, ...]) -> str:
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for part in parts for path in part.files]
    return text_digest(canonical_json([str(parts[0].files[0].parent), stats, names]))
