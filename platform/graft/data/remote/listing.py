"""What lies below an address: all names, with sizes and versions. First contact is quick, listing is patient."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from graft.core.errors import DataError
from graft.data.remote.address import Address
from graft.data.remote.faults import Fault, StoreError, told
from graft.data.remote.patience import FIRST_CONTACT, ONCE, READING, asked
from graft.data.remote.store import Entry, Store, open_store

T = TypeVar("T")
_TOGETHER = 8


def contact(address: Address) -> Entry:
    """What is at an address; refused within seconds if it cannot be had.

    Raises:
        DataError: there is no such bucket, or nothing at the address.
        ResourceError: there are no credentials, they are refused, or the store cannot be reached.
    """
    try:
        entry = asked(lambda: open_store(address).entry(address.key), FIRST_CONTACT)
    except StoreError as error:
        raise told(address, error if error.fault in _PLAIN else _in_better_words(address, error)) from error
    if entry is None:
        raise told(address, _in_better_words(address, StoreError(Fault.NOTHING_THERE, "")))
    return entry


_PLAIN = (Fault.NETWORK, Fault.OFFLINE, Fault.NO_BUCKET, Fault.EXPIRED)


def _in_better_words(address: Address, error: StoreError) -> StoreError:
    """Stores answer a question for one name in the shortest way; a list that fails says why."""
    if address.is_web or address.scheme == "hf":
        return error
    return refusal(address) or error


def silence(source: bytes) -> str | None:
    """Which store does not answer, and why, asked once for a sample; None if it does, whatever it says."""
    address = Address.of(os.fsdecode(source))
    try:
        asked(lambda: open_store(address).entry(address.key), ONCE)
    except StoreError as error:
        if error.fault is Fault.NETWORK:
            return f"{address.root}, which cannot be reached ({error.told})"
    return None


def refusal(address: Address) -> StoreError | None:
    """Why a store lets nobody in, asked for the names beside something; None if it does."""
    folder = address.key.rpartition("/")[0]
    try:
        asked(lambda: open_store(address).entries(folder, is_deep=False), FIRST_CONTACT)
    except StoreError as error:
        return None if error.fault is Fault.NOTHING_THERE else error
    return None


def list_below(address: Address) -> Iterator[Entry]:
    """All that lies below a folder, the folders of it side by side; as soon as it is known, so in no order.

    Raises:
        DataError: there is no such folder.
        ResourceError: as for `contact`.
    """
    if not contact(address).is_folder:
        raise DataError(f"data.path is {address}, but must be a folder, not a file; name the folder it is in")
    store = open_store(address)
    top = _or_told(address, lambda: asked(lambda: store.entries(address.key, store.is_flat), READING))
    yield from top
    if store.is_flat:
        return
    with ThreadPoolExecutor(_TOGETHER, "graft-list") as pool:
        folders = [entry.path for entry in top if entry.is_folder]
        below = [(path, pool.submit(_deep, store, f"{address.key}/{path}".strip("/"))) for path in folders]
        try:
            for path, future in below:
                for entry in _or_told(address, future.result):
                    yield Entry(f"{path}/{entry.path}", entry.size, entry.version, entry.is_folder)
        finally:
            for _, future in below:
                future.cancel()


def files_below(address: Address) -> Iterator[Entry]:
    """The files below a folder, without those whose names would lead out of it.

    Raises:
        DataError: there is no such folder, or it is one of a web server.
        ResourceError: as for `contact`.
    """
    if address.is_web:
        raise DataError(f"data.path is {address}, but a web server lists no folder; name the files themselves")
    for entry in list_below(address):
        is_plain = not any(part in ("", ".", "..") or "\0" in part for part in entry.path.split("/"))
        if is_plain and not entry.is_folder:
            yield entry


def _deep(store: Store, key: str) -> list[Entry]:
    return asked(lambda: store.entries(key, is_deep=True), READING)


def _or_told(address: Address, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except StoreError as error:
        raise told(address, error) from error
