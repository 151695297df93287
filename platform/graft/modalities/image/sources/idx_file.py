"""IDX files, the format of MNIST and of the sets that took its place (LeCun, Cortes, Burges); without numpy.

A file is a magic number (two zero bytes, the type code 8 for uint8, the number of dimensions), one big-endian 32-bit
size for each dimension, and the values. Nothing in a header is believed before the bytes behind it have been counted.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, cast

from graft.core.errors import DataError
from graft.core.passing_errors import machine_errors
from graft.spec.modalities.image import IdxData

MAX_BYTES = 4 * 1024**3
"""A header that promises more is refused."""

IMAGES, LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"
"""Names of the files of one half of a set ("train" or "t10k")."""

FILES = tuple(
    f"{name.format(half)}{suffix}" for half in ("train", "t10k") for name in (IMAGES, LABELS) for suffix in ("", ".gz")
)
"""All files that a set may have."""

_UINT8 = 0x08
_CHUNK = 16 * 1024**2


def read_idx_bytes(path: Path, num_dimensions: int) -> tuple[tuple[int, ...], bytearray]:
    """Shape and values of one IDX file of unsigned bytes, gzipped or not.

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
    return shape, values


def brings_test(directory: Path) -> bool:
    """Whether a directory has a test set of its own."""
    return any(find_idx(directory, name.format("t10k")) for name in (IMAGES, LABELS))


def label_names(spec: IdxData, present: Sequence[int]) -> tuple[tuple[str, ...], Sequence[int]]:
    """Names of the labels, and the value that each stands for.

    Args:
        spec: may name the values 0, 1, 2, …
        present: values in the training set, ascending.

    Raises:
        DataError: a value has no name, or a name no image.
    """
    given, directory = spec.label_names, spec.path
    if given is None:
        return tuple(str(value) for value in present), present
    if present[-1] >= len(given):
        raise DataError(
            f"{directory} has the label {present[-1]}, but data.classes names 0 to {len(given) - 1}; name all"
        )
    absent = [name for value, name in enumerate(given) if value not in present]
    if absent:
        raise DataError(f"{directory} has no training image of the class `{absent[0]}`; remove it from data.classes")
    return tuple(given), range(len(given))


def check_known(path: Path, present: Sequence[int], codes: Sequence[int]) -> None:
    """Check that a file of labels has none that the training set has not.

    Raises:
        DataError: it has.
    """
    strange = sorted(set(present) - set(codes))
    if strange:
        raise DataError(f"{path} has the label {strange[0]}, which no training image has; labels must be known classes")


def require_idx(directory: Path, name: str) -> Path:
    """One of a set's files.

    Raises:
        DataError: it is not there.
    """
    found = find_idx(directory, name)
    if found is None:
        raise DataError(f"{directory} has no {name}.gz (nor without .gz), but a set of IDX files needs it")
    return found


def find_idx(directory: Path, name: str) -> Path | None:
    """One of a set's files, gzipped or not."""
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
