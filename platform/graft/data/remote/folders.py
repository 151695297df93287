"""Folders in a store, and folders that a list of addresses makes: the same trees as those of a disk."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from graft.data.folders.tree import Places, Tree
from graft.data.remote.address import Address
from graft.data.remote.faults import StoreError, told
from graft.data.remote.listing import list_below
from graft.data.remote.patience import READING, asked
from graft.data.remote.store import open_store
from graft.data.remote.web_list import read_list

_TOGETHER = 16


class Names(Protocol):
    """Takes the names below an address."""

    def add(self, path: str, is_folder: bool = False, size: int = -1) -> bool: ...
    def tree(self, root: str, places: Places) -> Tree: ...


def look_below_address(uri: str, names: Names) -> Tree:
    """The tree of all names below an address; on the web, of the addresses in a list.

    Raises:
        DataError: there is no such bucket or folder, or the list is none.
        ResourceError: there are no credentials, or the store cannot be reached.
    """
    address = Address.of(uri)
    if address.is_web:
        root, addresses = read_list(address)
        kept = {path: one for path, one in addresses.items() if names.add(path)}
        return names.tree(root, WebPlaces(kept))
    stamps: dict[str, tuple[int, int | str]] = {}
    for entry in list_below(address):
        if names.add(entry.path, entry.is_folder, entry.size):
            stamps[entry.path] = (entry.size, entry.version)
    return names.tree(str(address), StorePlaces(str(address), stamps))


@dataclass(frozen=True)
class StorePlaces:
    """Objects below an address, which a listing has told all of."""

    root: str
    known: dict[str, tuple[int, int | str]]

    def source(self, path: str) -> bytes:
        """Its address."""
        return os.fsencode(f"{self.root}/{path}")

    def stamps(self, paths: Sequence[str]) -> Iterable[tuple[int, int | str]]:
        """Size and version."""
        return map(self.known.__getitem__, paths)


@dataclass(frozen=True)
class WebPlaces:
    """Files on web servers, of which a list names no more than the addresses."""

    addresses: dict[str, str]

    def source(self, path: str) -> bytes:
        """Its address."""
        return os.fsencode(self.addresses[path])

    def stamps(self, paths: Sequence[str]) -> list[tuple[int, int | str]]:
        """What each server says, asked side by side."""
        return stamps_of([self.addresses[path] for path in paths])


def stamps_of(uris: Sequence[str]) -> list[tuple[int, int | str]]:
    """Size and version of what lies at addresses; -1 where there is nothing.

    Raises:
        ResourceError: a store cannot be reached.
    """
    with ThreadPoolExecutor(_TOGETHER, "graft-stamp") as pool:
        return list(pool.map(_stamp, uris))


def _stamp(uri: str) -> tuple[int, int | str]:
    address = Address.of(uri)
    store = open_store(address)
    try:
        entry = asked(lambda: store.entry(address.key), READING)
    except StoreError as error:
        if address.is_web:  # one server of many: who reads it will say so
            return -1, ""
        raise told(address, error) from error
    return (-1, "") if entry is None else (entry.size, entry.version)
