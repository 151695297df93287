"""Many pieces of bytes on the disk, in their order: what lies in memory is where each of them begins."""

import array
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from graft.core.errors import ResourceError
from graft.core.passing_errors import is_used_up

_IN_MEMORY = 1024**2


class Spool(Sequence[bytes]):
    """Pieces of bytes in a file without a name, which is gone with the object; few of them stay in memory.

    Args:
        pieces: the first ones.
    """

    def __init__(self, pieces: Iterable[bytes] = ()) -> None:
        self._ends = array.array("Q", [0])
        self._tail = bytearray()
        self._written = 0
        self._file = -1
        for piece in pieces:
            self.append(piece)

    def append(self, piece: bytes) -> None:
        """Add a piece.

        Raises:
            ResourceError: the disk of temporary files is full.
        """
        self._tail += piece
        self._ends.append(self._ends[-1] + len(piece))
        if len(self._tail) > _IN_MEMORY:
            self._flush()

    @property
    def num_bytes(self) -> int:
        """Of all pieces together."""
        return self._ends[-1]

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._part(self._ends[place], self._ends[place + 1])

    def __iter__(self) -> Iterator[bytes]:
        """In runs of pieces: one call to the system for each of them would take most of the time."""
        start = 0
        while start < len(self):
            end = start + 1
            while end < len(self) and self._ends[end + 1] - self._ends[start] <= _IN_MEMORY:
                end += 1
            run, first = self._part(self._ends[start], self._ends[end]), self._ends[start]
            yield from (run[self._ends[at] - first : self._ends[at + 1] - first] for at in range(start, end))
            start = end

    def __reduce__(self) -> tuple[type["Spool"], tuple[list[bytes]]]:
        return Spool, (list(self),)  # the file is one of this process

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def _part(self, begin: int, end: int) -> bytes:
        if begin >= self._written:
            return bytes(self._tail[begin - self._written : end - self._written])
        found = b""
        while len(found) < min(end, self._written) - begin:
            found += os.pread(self._file, min(end, self._written) - begin - len(found), begin + len(found))
        return found if end <= self._written else found + bytes(self._tail[: end - self._written])

    def _flush(self) -> None:
        try:
            if self._file < 0:
                with tempfile.TemporaryFile(prefix="graft-") as stream:
                    self._file = os.dup(stream.fileno())
            while self._tail:
                count = os.pwrite(self._file, self._tail, self._written)
                self._written += count
                del self._tail[:count]
        except OSError as error:
            if not is_used_up(error):
                raise
            raise ResourceError(
                f"{tempfile.gettempdir()} has no room for the samples of a table ({error.strerror}); free some, or "
                "name another directory in TMPDIR"
            ) from error
