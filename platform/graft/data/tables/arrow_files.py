"""Opens Parquet and Arrow files so that no type of theirs can run code.

Arrow hands an extension type to the Python class of its name as soon as it reads a *schema* (in pyarrow 25
`read_metadata` is enough), and classes that a process may hold, such as those of Ray Data, unpickle what the file gives
them. So Arrow is never shown such a type: in the part of the file that holds the schema, the keys that make one are
renamed, byte for byte of the same length. What it then sees are the plain types that the values are stored in.
"""

import base64
import io
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

PARQUET_SUFFIXES = (".parquet", ".pq")
_ARROW_FILE = b"ARROW1"
_BUFFERED = 1 << 20  # else a column of a row group is read as a whole
_MOST_SCHEMA_BYTES = 256 * 1024**2
_SCHEMA, _SCHEMA_RENAMED = b"ARROW:schema", b"ARROW_schema"
_EXTENSION, _EXTENSION_RENAMED = b"ARROW:extension:name", b"ARROW_extension_name"


class ArrowFile:
    """A Parquet, Feather or Arrow file of which only named columns are read.

    Every method raises what Arrow raises on damaged files: `pa.ArrowException`, `OSError`, `ValueError`, `KeyError`.

    Args:
        path: of a regular file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_parquet = path.suffix.lower() in PARQUET_SUFFIXES

    @cached_property
    def schema(self) -> pa.Schema:
        """With the types that the values are stored in."""
        with self.opened() as reader:
            return reader.schema_arrow if self._is_parquet else reader.schema

    @cached_property
    def extensions(self) -> Mapping[str, str]:
        """Name of the extension type that a column is of, or holds inside, by the column's name."""
        found = {field.name: _extension(field) for field in self._as_written()}
        return {name: kind for name, kind in found.items() if kind}

    def table(self, columns: Sequence[str]) -> pa.Table:
        """Some columns, whole; nothing else of the file is read.

        Raises:
            ValueError: one is of an extension type.
        """
        self.require_plain(columns)
        if self._is_parquet:
            with self.opened() as reader:
                return reader.read(columns=list(columns))
        places = [self.schema.names.index(name) for name in columns]
        with self.opened(pa.ipc.IpcReadOptions(included_fields=sorted(set(places)))) as reader:
            return reader.read_all().select(list(columns))

    @property
    def is_parquet(self) -> bool:
        """Else it is one of Arrow's own forms."""
        return self._is_parquet

    @cached_property
    def is_stream(self) -> bool:
        """Whether it is an Arrow stream, which is read from its beginning."""
        with self._path.open("rb") as stream:
            return not self._is_parquet and stream.read(6) != _ARROW_FILE

    def footer(self) -> bytes:
        """The metadata of a Parquet file."""
        with self._path.open("rb") as stream:
            start, length = _parquet_footer(stream)
            stream.seek(start)
            return stream.read(length)

    def require_plain(self, columns: Sequence[str]) -> None:
        """Check that columns are of types that Arrow knows by itself.

        Raises:
            ValueError: one is of an extension type.
        """
        strange = [name for name in columns if name in self.extensions]
        if strange:
            raise ValueError(f"column {strange[0]} is of the extension type {self.extensions[strange[0]]}")

    @contextmanager
    def opened(self, options: Any = None) -> Iterator[Any]:
        """Arrow's reader of the file; it builds no type of the file's choice.

        Args:
            options: `pa.ipc.IpcReadOptions`, where it is no Parquet file.
        """
        with self._path.open("rb") as stream:
            if self._is_parquet:
                renamed = _Renamed(stream, *_parquet_footer(stream), (_SCHEMA, _SCHEMA_RENAMED))
                yield parquet.ParquetFile(
                    renamed, buffer_size=_BUFFERED, arrow_extensions_enabled=False, pre_buffer=False
                )
                return
            part = _first_message(stream) if self.is_stream else _arrow_footer(stream)
            renamed = _Renamed(stream, *part, (_EXTENSION, _EXTENSION_RENAMED))
            yield (pa.ipc.open_stream if self.is_stream else pa.ipc.open_file)(renamed, options=options)

    def _as_written(self) -> pa.Schema:
        written = (self.schema.metadata or {}).get(_SCHEMA_RENAMED) if self._is_parquet else None
        if written is None:
            return self.schema
        content = base64.b64decode(written).replace(_EXTENSION, _EXTENSION_RENAMED)
        return pa.ipc.read_schema(pa.BufferReader(content))


def _extension(field: pa.Field) -> str | None:
    """The extension type of a field, or of one inside it."""
    name = (field.metadata or {}).get(_EXTENSION_RENAMED)
    if name is not None:
        return str(name.decode("utf-8", "backslashreplace"))
    if isinstance(field.type, pa.BaseExtensionType):
        return str(field.type)
    inside = [field.type.field(index) for index in range(field.type.num_fields)]
    if pa.types.is_dictionary(field.type):
        inside.append(pa.field("values", field.type.value_type))
    return next((found for found in map(_extension, inside) if found), None)


def _parquet_footer(stream: BinaryIO) -> tuple[int, int]:
    """Where the metadata of a Parquet file begin, and their length."""
    return _before_end(stream, b"PAR1")


def _arrow_footer(stream: BinaryIO) -> tuple[int, int]:
    """Where the footer of an Arrow file begins, and its length."""
    return _before_end(stream, _ARROW_FILE)


def _before_end(stream: BinaryIO, mark: bytes) -> tuple[int, int]:
    size = stream.seek(0, os.SEEK_END)
    tail = 4 + len(mark)
    stream.seek(max(size - tail, 0))
    end = stream.read(tail)
    if len(end) < tail or end[4:] != mark:
        raise ValueError(f"it does not end in {mark.decode()}")
    (length,) = struct.unpack("<i", end[:4])
    return _within(size - tail - length, length, size)


def _first_message(stream: BinaryIO) -> tuple[int, int]:
    """Where the schema of an Arrow stream begins, and its length."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(8)
    if len(start) < 8:
        raise ValueError("it is too short for an Arrow file")
    first, second = struct.unpack("<ii", start)
    # Streams of old versions begin with the length itself.
    return _within(8, second, size) if first == -1 else _within(4, first, size)


def _within(start: int, length: int, size: int) -> tuple[int, int]:
    if length <= 0 or start < 0 or start + length > size:
        raise ValueError("its schema lies outside of it")
    if length > _MOST_SCHEMA_BYTES:
        raise ValueError(f"its schema has {length} bytes, more than any schema needs")
    return start, length


class _Renamed(io.RawIOBase):
    """A file in one part of which some bytes are read as others of the same number."""

    def __init__(self, stream: BinaryIO, start: int, length: int, names: tuple[bytes, bytes]) -> None:
        self._stream, self._start = stream, start
        self._size = stream.seek(0, os.SEEK_END)
        stream.seek(start)
        self._part = stream.read(length).replace(*names)
        stream.seek(0)

    def read(self, size: int = -1) -> bytes | None:
        """No more than there is, whatever a damaged file says that there is."""
        left = max(self._size - self._stream.tell(), 0)
        return super().read(left if size < 0 else min(size, left))

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        at = self._stream.tell()
        count = self._stream.readinto(view)  # type: ignore[attr-defined]
        begin, end = max(at, self._start), min(at + count, self._start + len(self._part))
        if begin < end:
            view[begin - at : end - at] = self._part[begin - self._start : end - self._start]
        return int(count)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
