"""Copies an object piece by piece; a connection that is cut goes on where it was."""

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from graft.core.errors import DataError
from graft.data.remote.address import Address
from graft.data.remote.faults import Fault, StoreError, told
from graft.data.remote.patience import READING, asked
from graft.data.remote.store import Entry, Store, open_store

_PIECE_BYTES = 8 * 1024**2


def copy_object(address: Address, entry: Entry) -> Iterator[bytes]:
    """The bytes of an object, in pieces.

    Args:
        address: of the object.
        entry: what the store has said of it.

    Raises:
        DataError: it has changed meanwhile, or is gone.
        ResourceError: the store cannot be reached, or lets nobody in any more.
    """
    store = open_store(address)
    pieces = _Pieces(store, address.key, entry.size)
    try:
        while piece := asked(pieces.next, READING):
            yield piece
        after = asked(lambda: store.entry(address.key), READING)
    except StoreError as error:
        raise told(address, error) from error
    finally:
        pieces.close()
    if after is None or (after.size, after.version) != (entry.size, entry.version):
        raise DataError(f"{address} has changed while it was copied; wait until nobody writes to it, and run again")


class _Pieces:
    """A stream that is opened anew where it broke off."""

    def __init__(self, store: Store, key: str, size: int) -> None:
        self._store, self._key, self._size = store, key, size
        self._at = 0
        self._stream: BinaryIO | None = None

    def next(self) -> bytes:
        """The next piece; empty at the end."""
        if self._at == self._size:
            return b""
        try:
            if self._stream is None:
                self._stream = self._store.open(self._key, self._at)
            piece = self._stream.read(_PIECE_BYTES)
            if not piece and self._size >= 0:
                raise StoreError(Fault.NETWORK, f"the connection ended after {self._at} of {self._size} bytes")
        except Exception:
            self.close()
            raise
        self._at += len(piece)
        return piece

    def close(self) -> None:
        """Let go of the connection."""
        if self._stream is not None:
            with suppress(OSError):  # it may be broken already
                self._stream.close()
            self._stream = None
