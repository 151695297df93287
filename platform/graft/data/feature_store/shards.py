"""One shard: an Arrow IPC file with a single record batch of one column of fixed-shape tensors.

A single batch lies in the file in one piece, so a memory map of it is the array: any Arrow reader can open it, and
numpy needs no copy.
"""

import hashlib
import math
import os
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from graft.data.feature_store.encoding import STORED
from graft.data.feature_store.key import StorageType

COLUMN = "features"
_ARROW = {"float32": pa.float32(), "float16": pa.float16(), "bfloat16": pa.uint16()}
_STORAGE = b"storage"


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
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        if reader.num_record_batches != 1:
            raise ValueError(f"{path} has {reader.num_record_batches} record batches instead of 1")
        column = reader.get_batch(0).column(COLUMN)
    if column.type != pa.fixed_shape_tensor(_ARROW[dtype], shape or (1,)):
        raise ValueError(f"{path} holds {column.type} instead of {dtype} {shape}")
    flat: np.ndarray = column.storage.flatten().to_numpy(zero_copy_only=True)
    return flat.view(STORED[dtype]).reshape(len(column), *shape)


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
