"""Arrays in ``.npy`` and ``.npz`` files (numpy.lib.format), by their headers first and by a memory map then.

Nothing is unpickled, whatever a file asks for. A header is believed as far as the bytes behind it reach.
"""

import math
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from graft.core.errors import DataError, ResourceError
from graft.core.passing_errors import is_used_up, machine_errors

MAX_PACKED_BYTES = 4 * 1024**3
"""An array in an archive that promises more is refused: it would be unpacked to the disk."""
ARCHIVE, PLAIN = ".npz", ".npy"
_CHUNK = 16 * 1024**2
_MOST_ARRAYS = 1000
_DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile, zlib.error),
    *(tokenize.TokenError, SyntaxError),  # of headers, which are literals of Python
)


@dataclass(frozen=True)
class StoredArray:
    """An array in a file.

    Attributes:
        file: that holds it.
        member: its name in an archive; empty in a file of its own.
        shape: as its header says.
        dtype: of plain numbers or texts.
        fortran: whether its first axis runs fastest.
        offset: of the values behind the beginning of the file, or of the member.
    """

    file: Path
    member: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def num_bytes(self) -> int:
        """Of all values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def told(self) -> str:
        """The array, for messages."""
        return f"`{self.member.removesuffix(PLAIN)}` in {self.file}" if self.member else str(self.file)

    def open(self) -> np.ndarray:
        """The values, read-only and on the disk.

        Raises:
            DataError: the file is damaged, or holds less than its header says.
            ResourceError: the disk of temporary files is full.
        """
        try:
            with machine_errors(self.file):
                values = self._mapped() if not self.member else self._unpacked()
        except _DAMAGE as error:
            raise _damaged(self.told, error) from error
        return values.reshape(self.shape, order="F" if self.fortran else "C")

    def _mapped(self) -> np.ndarray:
        there = self.file.stat().st_size - self.offset
        if there < self.num_bytes:
            raise ValueError(f"its header promises {self.num_bytes} bytes, but it holds only {max(there, 0)}")
        if not self.num_bytes:
            return np.empty(0, self.dtype)
        return np.memmap(self.file, self.dtype, "r", self.offset, (math.prod(self.shape),))

    def _unpacked(self) -> np.ndarray:
        if self.num_bytes > MAX_PACKED_BYTES:
            raise ValueError(
                f"its header promises {self.num_bytes} bytes, but an archive may hold {MAX_PACKED_BYTES} in an array; "
                "save it as .npy"
            )
        if not self.num_bytes:
            return np.empty(0, self.dtype)
        with zipfile.ZipFile(self.file) as archive, archive.open(self.member) as packed:
            packed.read(self.offset)
            with tempfile.TemporaryFile(prefix="graft-") as stream:
                _copy(packed, stream, self.num_bytes)
                return np.memmap(stream, self.dtype, "r", 0, (math.prod(self.shape),))


def arrays_in(path: Path) -> Mapping[str, StoredArray]:
    """The arrays of an archive, of a file, or of the files in a directory, by their names.

    Raises:
        DataError: there are none, one is damaged, or holds Python objects.
    """
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix.lower() == PLAIN and one.is_file())
        if not files:
            raise DataError(f"{path} holds no {PLAIN} files, but must hold those of samples and labels; check the path")
        return {file.stem: _plain(file) for file in files[:_MOST_ARRAYS]}
    if not path.is_file():
        raise DataError(f"data.path is {path}, but there is no such file; check the path")
    return _archived(path) if path.suffix.lower() == ARCHIVE else {path.stem: _plain(path)}


def _plain(path: Path) -> StoredArray:
    try:
        with machine_errors(path), path.open("rb") as stream:
            return _header(stream, path, "")
    except _DAMAGE as error:
        raise _damaged(str(path), error) from error


def _archived(path: Path) -> Mapping[str, StoredArray]:
    found = {}
    try:
        with machine_errors(path), zipfile.ZipFile(path) as archive:
            for name in [name for name in archive.namelist() if name.endswith(PLAIN)][:_MOST_ARRAYS]:
                if name.startswith("/") or ".." in name.split("/"):
                    raise DataError(
                        f"{path} has the array `{name[:80]}`, whose name leads out of the archive; check it"
                    )
                with archive.open(name) as stream:
                    found[name.removesuffix(PLAIN)] = _header(stream, path, name)
    except _DAMAGE as error:
        raise _damaged(str(path), error) from error
    if not found:
        raise DataError(f"{path} holds no arrays, but must hold those of samples and labels; is it the right file?")
    return found


def _header(stream: IO[bytes], path: Path, member: str) -> StoredArray:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"it is of version {version[0]}.{version[1]}, which holds no plain numbers")
    shape, fortran, dtype = readers[version](stream)
    told = StoredArray(path, member, (), np.dtype(np.uint8), False, 0).told
    if dtype.hasobject:
        raise DataError(f"{told} holds Python objects, which could run code, and is not read; save plain numbers")
    if dtype.kind not in "biufUS":
        raise DataError(f"{told} is of type {dtype}, but must be of numbers or texts; convert it")
    if any(side < 0 for side in shape):
        raise ValueError(f"its shape is {shape}")
    return StoredArray(path, member, tuple(int(side) for side in shape), dtype, fortran, stream.tell())


def _copy(packed: IO[bytes], stream: IO[bytes], size: int) -> None:
    left = size
    while left:
        chunk = packed.read(min(_CHUNK, left))
        if not chunk:
            raise ValueError(f"its header promises {size} bytes, but it holds only {size - left}")
        try:
            stream.write(chunk)
            stream.flush()
        except OSError as error:
            if not is_used_up(error):
                raise
            raise ResourceError(
                f"{tempfile.gettempdir()} has no room for an array of {size >> 20} MiB ({error.strerror}); free some, "
                "name another directory in TMPDIR, or save it as .npy"
            ) from error
        left -= len(chunk)


def _damaged(told: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:160] or type(error).__name__
    return DataError(f"{told} is damaged or no array of NumPy ({reason}); save it anew")
