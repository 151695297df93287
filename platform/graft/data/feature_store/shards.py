"""One shard: an Arrow IPC file with a single record batch of one column of fixed-shape tensors.

A single batch lies in the file in one piece, so a memory map of it is the array: any Arrow reader can open it, and
numpy needs no copy. numpy has no bfloat16, so such a number lies on the disk as its 16 bits.
"""

import hashlib
import math
import os
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from graft.core.errors import SpecError
from graft.data.feature_store.key import StorageType
from graft.data.tables.arrow_files import ArrowFile

STORED: dict[StorageType, np.dtype] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(np.uint16),
}
"""What numpy sees in the file."""


def encode(values: np.ndarray, dtype: StorageType) -> np.ndarray:
    """Floats as they are stored, rounded to the nearest.

    Raises:
        SpecError: a finite value is too large for the type.
    """
    if values.dtype.kind != "f":
        raise ValueError(f"features are {values.dtype}, but must be floats")
    with np.errstate(over="ignore"):
        stored = _bfloat16(values) if dtype == "bfloat16" else values.astype(STORED[dtype], copy=False)
    if dtype == "float16" and values.dtype != np.float16:
        _require_range(values, stored)
    return stored


def decode(stored: np.ndarray, dtype: StorageType) -> np.ndarray:
    """Stored numbers as floats numpy can compute with; a copy for bfloat16 (as float32), else the same array."""
    if dtype != "bfloat16":
        return stored
    return (stored.astype(np.uint32) << 16).view(np.float32)


COLUMN = "features"
_ARROW = {"float32": pa.float32(), "float16": pa.float16(), "bfloat16": pa.uint16()}
_STORAGE = b"storage"
_TENSOR = "arrow.fixed_shape_tensor"


def write_shard(path: Path, rows: np.ndarray, dtype: StorageType) -> tuple[int, str]:
    """Write rows, and have them on the disk before returning.

    Args:
        path: a file that is not there yet.
        rows: [n, *shape] as stored (`encode`), contiguous.
        dtype: what the numbers are.

    Returns:
        Size of the file, and its sha256 in hex.

    Raises:
        OSError: the disk is full, or the directory is gone.
    """
    column = _tensor_array(rows, dtype)
    schema = pa.schema([pa.field(COLUMN, column.type, nullable=False)], metadata={_STORAGE: dtype.encode()})
    with path.open("xb", buffering=0) as stream:
        sink = _DigestingSink(stream)
        with pa.ipc.new_file(pa.PythonFile(sink, "w"), schema) as writer:
            writer.write_batch(pa.record_batch([column], schema=schema))
        os.fsync(stream.fileno())
    return sink.size, sink.digest.hexdigest()


def map_shard(path: Path, shape: tuple[int, ...], dtype: StorageType) -> np.ndarray:
    """The rows of a shard as a read-only array [n, *shape] over a memory map, as stored.

    The map lives as long as the array, even when the file is deleted; no file handle is kept.

    Raises:
        OSError: there is no such file.
        ValueError: it holds something else.
    """
    strange = set(ArrowFile(path).extensions.values()) - {_TENSOR}
    if strange:  # to look at such a type is to run its code
        raise ValueError(f"{path} holds the type {min(strange)} instead of {_TENSOR}")
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        if reader.num_record_batches != 1:
            raise ValueError(f"{path} has {reader.num_record_batches} record batches instead of 1")
        column = reader.get_batch(0).column(COLUMN)
    if column.type != pa.fixed_shape_tensor(_ARROW[dtype], shape or (1,)):
        raise ValueError(f"{path} holds {column.type} instead of {dtype} {shape}")
    flat: np.ndarray = column.storage.flatten().to_numpy(zero_copy_only=True)
    return flat.view(STORED[dtype]).reshape(len(column), *shape)


def _require_range(values: np.ndarray, stored: np.ndarray) -> None:
    overflow = np.isinf(stored)
    if overflow.any() and np.isfinite(values[overflow]).any():
        largest = float(np.abs(values[np.isfinite(values)]).max())
        raise SpecError(f"a feature is {largest:g}, but float16 ends at 65504; store as float32 or bfloat16")


def _bfloat16(values: np.ndarray) -> np.ndarray:
    exact = np.ascontiguousarray(values, dtype=np.float32)
    bits = exact.view(np.uint32)
    # Round to nearest, ties to even: half of the last kept place, less one where that place is even.
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    quiet_nan = ((bits >> 16) | 0x0040).astype(np.uint16)
    return np.where(np.isnan(exact), quiet_nan, rounded)


def _tensor_array(rows: np.ndarray, dtype: StorageType) -> pa.ExtensionArray:
    """The rows as an Arrow column, without a copy."""
    shape = rows.shape[1:]
    numbers = pa.Array.from_buffers(_ARROW[dtype], rows.size, [None, pa.py_buffer(rows)])
    storage = pa.FixedSizeListArray.from_arrays(numbers, math.prod(shape))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(_ARROW[dtype], shape or (1,)), storage)


class _DigestingSink:
    """A file for Arrow to write to, which digests what goes through it: the file is not read again for that."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        rest = memoryview(data).cast("B")
        self.digest.update(rest)
        self.size += len(rest)
        length = len(rest)
        # An unbuffered file may take less than it is given: just before the disk is full, and beyond 2 GiB.
        while rest:
            rest = rest[self._stream.write(rest) :]
        return length

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False
