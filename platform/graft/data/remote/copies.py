"""Copies of files of a store in the home: one for each version that the store tells of, whole or not at all."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from graft.core.errors import DataError
from graft.core.private_files import make_private_directory
from graft.core.storage import canonical_json, new_directory, text_digest
from graft.data.overview import Progress
from graft.data.remote.address import Address
from graft.data.remote.copying import copy_object
from graft.data.remote.faults import StoreError, told
from graft.data.remote.here import Here, home_of_copies
from graft.data.remote.listing import contact, files_below
from graft.data.remote.patience import READING, asked
from graft.data.remote.store import Entry, open_store
from graft.data.remote.web_store import file_name
from graft.journal.locking import exclusive

MOST_BYTES = 16 * 1024**3
"""A file of a store that is larger is not copied."""

_OTHERS_USE_IT_S = 24 * 3600.0


@contextmanager
def file_copied(path: str, progress: Progress | None) -> Iterator[Here]:
    """The copy of a file; errors within the block name its address.

    Raises:
        DataError: there is nothing at the address, or too much.
        ResourceError: there are no credentials, the store cannot be reached, or the disk has no room.
    """
    address = Address.of(path)
    entry = contact(address)
    if entry.is_folder:
        raise DataError(f"data.path is {path}, but must be a file, not a folder; name the file in it")
    name = (file_name(address.key) if address.is_web else address.key).rpartition("/")[2]
    copied = _copied(address, {name: (address.key, entry)}, progress)
    with _called(copied / name, path):
        yield Here(copied / name, path, ((name, entry.size, entry.version or copied.name),))


@contextmanager
def files_copied(path: str, names: Sequence[str], progress: Progress | None) -> Iterator[Here]:
    """A directory with copies of those of some files that are there; else as `file_copied`.

    Args:
        path: of the directory.
        names: of the files that are wanted.
        progress: told now and then that something goes on.
    """
    address, found = Address.of(path), {}
    if not address.is_web and not contact(address).is_folder:
        raise DataError(f"data.path is {path}, but must be a folder, not a file; name the folder it is in")
    for name in names:
        key = f"{address.key.rstrip('/')}/{name}".lstrip("/")
        entry = _entry(address, key)
        if entry is not None and not entry.is_folder:
            found[name] = (key, entry)
    copied = _copied(address, found, progress)
    with _called(copied, path):
        stamp = tuple((name, entry.size, entry.version or copied.name) for name, (_, entry) in found.items())
        yield Here(copied, path, stamp)


@contextmanager
def tree_copied(path: str, wanted: Callable[[str], bool], progress: Progress | None) -> Iterator[Here]:
    """A directory with copies of those files below an address whose paths are wanted; else as `file_copied`."""
    address = Address.of(path)
    found = {
        entry.path: (f"{address.key}/{entry.path}".lstrip("/"), entry)
        for entry in sorted(files_below(address), key=lambda one: one.path)
        if wanted(entry.path)
    }
    copied = _copied(address, found, progress)
    with _called(copied, path):
        stamp = tuple((name, entry.size, entry.version or copied.name) for name, (_, entry) in found.items())
        yield Here(copied, path, stamp)


@contextmanager
def _called(copy: Path, path: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(str(error).replace(str(copy), path)) from error


def _copied(address: Address, files: Mapping[str, tuple[str, Entry]], progress: Progress | None) -> Path:
    """The directory of the copies."""
    _check_size(address, files)
    of_address = text_digest(str(address))[:20]
    versions = [[name, entry.size, entry.version] for name, (_, entry) in files.items()]
    is_known = all(entry.version for _, entry in files.values())
    root = home_of_copies().remote
    target = root / f"{of_address}-{text_digest(canonical_json(versions))[:20]}"
    make_private_directory(root)
    with exclusive(root / f"{of_address}.lock"):
        if not (is_known and target.is_dir()):
            target = _copy_anew(address, files, target, progress, is_known)
        for other in root.glob(f"{of_address}-*"):
            if other != target and time.time() - other.stat().st_mtime > _OTHERS_USE_IT_S:
                shutil.rmtree(other, ignore_errors=True)
        for scratch in root.glob(f".{of_address}-*"):
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _copy_anew(
    address: Address, files: Mapping[str, tuple[str, Entry]], target: Path, progress: Progress | None, is_known: bool
) -> Path:
    """Copy; where the store says nothing of versions, the content names the copy."""
    digest = hashlib.sha256()

    def named() -> Path:
        return target if is_known else target.with_name(f"{target.name[:20]}-{digest.hexdigest()[:20]}")

    with new_directory(target, named) as scratch:
        for name, (key, entry) in files.items():
            where = Address(address.scheme, address.place, key)
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            with (scratch / name).open("wb") as stream:
                for piece in copy_object(where, entry):
                    stream.write(piece)
                    digest.update(piece)
                    if progress is not None:
                        progress(0)
    return named()


def _check_size(address: Address, files: Mapping[str, tuple[str, Entry]]) -> None:
    size = sum(max(entry.size, 0) for _, entry in files.values())
    if size > MOST_BYTES:
        raise DataError(
            f"{address} has {size / 1024**3:.1f} GiB, but a file of a store may have {MOST_BYTES >> 30} GiB; divide "
            "it, or copy it to this machine"
        )


def _entry(address: Address, key: str) -> Entry | None:
    store = open_store(address)
    try:
        return asked(lambda: store.entry(key), READING)
    except StoreError as error:
        raise told(address, error) from error
