"""A store: lists what lies below a path, says what is at one, and reads it. How each kind of store does it lies beside.

A store is made where it is used, by the process that reads, from that process's environment: it is never pickled.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, Protocol

from graft.core.errors import ResourceError
from graft.data.remote.access import lacking
from graft.data.remote.address import Address

Reserve = Callable[[int], None]
_PREFIXES = ("AWS_", "GOOGLE_", "GS_", "STORAGE_", "AZURE_", "HF_")


@dataclass(frozen=True)
class Entry:
    """Something in a store.

    Attributes:
        path: relative to what was listed; empty for itself.
        size: in bytes; -1 if the store does not say.
        version: what tells its content from another of this size: an entity tag, or a time; empty if nothing does.
        is_folder: whether it is one; stores that have none make them of names.
    """

    path: str
    size: int = -1
    version: str = ""
    is_folder: bool = False


class Store(Protocol):
    """A bucket, container, repository or server. Methods raise what their library raises: `asked` sorts it.

    Attributes:
        is_flat: whether a list of one level does not tell of the folders in it.
    """

    is_flat: bool

    def entries(self, key: str, is_deep: bool) -> list[Entry]:
        """What lies in a folder, in no order.

        Args:
            key: of the folder.
            is_deep: give what lies in its folders too.
        """

    def entry(self, key: str) -> Entry | None:
        """What is at a path; None if nothing is."""

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """The bytes at a path, from an offset on."""

    def read(self, key: str, most: int, reserve: Reserve) -> bytes:
        """The bytes at a path; of a larger one so many and one more.

        Args:
            key: of the object.
            most: bytes that are wanted.
            reserve: told how many will be read, before they are; returns when there is room for them.
        """


def open_store(address: Address) -> Store:
    """The store of an address.

    Raises:
        ResourceError: there are no credentials for it; the variable that is missing is named.
    """
    return _store(address.scheme, address.place, _settings())


def _settings() -> tuple[tuple[str, str], ...]:
    """What stores take from the environment: who corrects it in a notebook means to be heard."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(_PREFIXES)))


@lru_cache(maxsize=64)
def _store(scheme: str, place: str, settings: tuple[tuple[str, str], ...]) -> Store:
    """One a process and environment: connections are kept open, and credentials are looked for once."""
    address = Address(scheme, place, "")
    problem = lacking(address)
    if problem is not None:
        raise ResourceError(f"{address.root} needs credentials, but {problem}")
    if scheme in ("http", "https"):
        from graft.data.remote.web_store import WebStore

        return WebStore(scheme, place)
    if scheme == "hf":
        from graft.data.remote.hub_store import HubStore

        return HubStore()
    from graft.data.remote.arrow_store import arrow_store

    return arrow_store(scheme, place)
