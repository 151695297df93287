"""A node's copy of a home in a store: files are fetched when they are asked for, and written to the store when done.

For a path of a home that is a directory every function here does nothing, so callers need not ask. A file at the root
of a copy tells the two apart (`home_path`), as `.git` does.

A file that was changed here since the two were alike (`copy_files`) is ahead of the store, and is not overwritten,
unless the store's has changed too: then somebody else has gone on.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from graft.core.errors import ResourceError
from graft.core.storage import disk_full_is_clear, file_digest, text_digest
from graft.core.stores.address import HomeAddress
from graft.core.stores.copy_files import Known, KnownFiles
from graft.core.stores.home_path import address_of, copy_root
from graft.core.stores.room import make_room
from graft.core.stores.storage import ConflictError, Storage, StorageError, kept_trying

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

MANIFEST = "manifest.json"
"""Written last and looked for first: who finds a directory's manifest finds all of the directory."""

PATIENCE_S = 600.0
"""How long a store that is away is waited for by work that cannot go on without."""

_UNTOLD_S = 15.0


@dataclass(frozen=True)
class Copy:
    """A node's copy of a home in a store.

    Attributes:
        root: its directory.
        address: of the home.
    """

    root: Path
    address: HomeAddress

    @classmethod
    def of(cls, path: Path) -> "Copy | None":
        """The copy that a path lies in; None for a path of a home that is a directory."""
        root = copy_root(path)
        return None if root is None else cls(root, HomeAddress.of(address_of(root)))

    @property
    def known(self) -> KnownFiles:
        """What is known of its files."""
        return KnownFiles(self.root)

    @property
    def storage(self) -> Storage:
        """What reads and writes the home."""
        return self.address.storage()

    def key(self, path: Path) -> str:
        """The name in the store of what a path of the copy names."""
        return path.relative_to(self.root).as_posix()

    def asked(self, ask: Callable[[Storage], T], patience: float = PATIENCE_S) -> T:
        """The store's answer, waited for; a long wait is told in the log.

        Raises:
            GraftError: it has said no, or does not answer.
        """
        storage, told = self.storage, False

        def wait(seconds: float) -> None:
            nonlocal told
            if not told and patience > _UNTOLD_S:
                _LOG.warning("waits for home %s, which does not answer, for %g s at most", self.address, patience)
                told = True
            time.sleep(seconds)

        try:
            return kept_trying(lambda: ask(storage), patience, wait, time.monotonic)
        except StorageError as error:
            raise self.address.told(error) from error

    def fetch(self, path: Path, is_final: bool = False) -> bool:
        """Have the store's version of a file here; whether the file is here.

        Args:
            path: of the file.
            is_final: one that is here is good, because files of its name never change.
        """
        if is_final and path.is_file():
            self.known.mark_used(path)
            return True
        with self._alone(path):
            if is_final and path.is_file():
                return True
            entry, known = self.asked(lambda storage: storage.entry(self.key(path))), self.known.get(path)
            if entry is None or (known is not None and entry.tag == known.tag and path.is_file()):
                return path.is_file()
            return self._download(path)

    def fetch_tree(self, directory: Path, is_final: bool = False) -> bool:
        """Have the store's version of a directory that has a manifest here; whether it is here. See `fetch`."""
        manifest = directory / MANIFEST
        if is_final and manifest.is_file():
            self.known.mark_used(manifest)
            return True
        with self._alone(directory):
            if is_final and manifest.is_file():
                return True
            entry = self.asked(lambda storage: storage.entry(self.key(manifest)))
            known = self.known.get(manifest)
            if entry is None or (known is not None and entry.tag == known.tag and manifest.is_file()):
                return manifest.is_file()
            prefix = f"{self.key(directory)}/"
            names = [one.key for one in self.asked(lambda storage: list(storage.entries(prefix)))]
            files = [self.root / name for name in names if self.root / name != manifest]
            for file in [*files, manifest]:
                self._download(file)
            return True

    def fetch_below(self, directory: Path, wanted: Callable[[str], bool]) -> None:
        """Have the store's versions of files below a directory here.

        Args:
            directory: of the copy.
            wanted: told a path below it, with slashes.
        """
        prefix = f"{self.key(directory)}/"
        for entry in self.asked(lambda storage: list(storage.entries(prefix))):
            path = self.root / entry.key
            known = self.known.get(path)
            if not wanted(entry.key.removeprefix(prefix)) or (known and known.tag == entry.tag and path.is_file()):
                continue
            with self._alone(path):
                self._download(path)

    def names(self, directory: Path, patience: float = PATIENCE_S) -> set[str]:
        """Names of the files that the store has right below a directory."""
        prefix = f"{self.key(directory)}/"
        found = self.asked(lambda storage: list(storage.entries(prefix)), patience)
        return {entry.key.removeprefix(prefix) for entry in found}

    def publish(self, path: Path, patience: float = PATIENCE_S) -> None:
        """Write a file of the copy to the store, unless it is there as it is here."""
        while not self.known.is_alike(path):  # it may be written anew while it is sent
            found, digest = path.stat(), file_digest(path)
            tag = self.asked(partial(_uploaded, self.key(path), path, digest), patience)
            self.known.put(path, Known.of(tag, found))
            make_room(self.root)

    def publish_below(self, directory: Path, wanted: Callable[[str], bool]) -> None:
        """Write what is new or changed below a directory to the store, a manifest last."""
        files = [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith(".")]
        for path in sorted(files, key=lambda one: (one == directory / MANIFEST, one)):
            if wanted(path.relative_to(directory).as_posix()):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    self.publish(path)

    def drop(self, path: Path) -> None:
        """Delete a file from the store, which may be away: then it stays, and takes room only."""
        self.known.forget(path)
        try:
            self.storage.delete(self.key(path))
        except StorageError as error:
            _LOG.warning("%s was not deleted: %s", self.address.at(self.key(path)), error)

    def drop_below(self, directory: Path) -> None:
        """Delete all below a directory from the store, the manifest first."""
        prefix = f"{self.key(directory)}/"
        found = self.asked(lambda storage: [one.key for one in storage.entries(prefix)])
        for key in sorted(found, key=lambda key: not key.endswith(f"/{MANIFEST}")):
            self.asked(lambda storage, key=key: storage.delete(key))  # type: ignore[misc]
            self.known.forget(self.root / key)

    def _download(self, path: Path) -> bool:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with disk_full_is_clear(path):
                entry = self.asked(lambda storage: storage.download(self.key(path), scratch))
            if entry is None:
                return False
            os.utime(scratch, (entry.modified, entry.modified))
            found = scratch.stat()
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
        self.known.put(path, Known.of(entry.tag, found))
        make_room(self.root)
        return True

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        """One process of the node at a time fetches a thing; the others find it here."""
        file = self.root / ".locks" / text_digest(self.key(path))[:24]
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _uploaded(key: str, path: Path, digest: str, storage: Storage) -> str:
    return storage.upload(key, path, digest)


def bring(path: Path, is_final: bool = False) -> Path:
    """A file of a home, here; see `Copy.fetch`. Returns the path, whether there is such a file or not."""
    if (copy := Copy.of(path)) is not None:
        copy.fetch(path, is_final)
    return path


def bring_tree(directory: Path, is_final: bool = False) -> Path:
    """A directory of a home that has a manifest, here; see `Copy.fetch_tree`."""
    if (copy := Copy.of(directory)) is not None:
        copy.fetch_tree(directory, is_final)
    return directory


def publish(path: Path) -> None:
    """Write a file of a home that is a store there."""
    if (copy := Copy.of(path)) is not None:
        copy.publish(path)


def publish_tree(directory: Path, wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Write what is new or changed in a directory of a home that is a store there, a manifest last."""
    if (copy := Copy.of(directory)) is not None:
        copy.publish_below(directory, wanted)


def drop(path: Path) -> None:
    """Delete a file of a home, here and in the store."""
    path.unlink(missing_ok=True)
    if (copy := Copy.of(path)) is not None:
        copy.drop(path)


def drop_tree(directory: Path) -> None:
    """Delete a directory of a home, here and in the store."""
    shutil.rmtree(directory, ignore_errors=True)
    if (copy := Copy.of(directory)) is not None:
        copy.drop_below(directory)


def is_there(path: Path) -> bool:
    """Whether a file or directory of a home is here, or in the store."""
    if path.exists():
        return True
    copy = Copy.of(path)
    if copy is None:
        return False
    key = copy.key(path)
    return copy.asked(
        lambda storage: storage.entry(key) is not None or next(storage.entries(f"{key}/"), None) is not None
    )


def require_conditional(copy: Copy) -> None:
    """Prove that a store can be written, and keeps the conditions of writes: journal and lease rest on them.

    Raises:
        GraftError: it cannot, or does not.
    """
    key, patience = f".graft-probe/{secrets.token_hex(8)}", 3.0
    try:
        for _ in range(2):
            copy.asked(lambda storage: storage.create(key, b"graft"), patience)
    except ConflictError:
        return
    finally:
        copy.drop(copy.root / key)
    raise ResourceError(
        f"home {copy.address} does not keep conditional writes, so two runs could write one journal; take a store that "
        "does (S3, MinIO since 2024, Ceph, R2, Google Cloud Storage, Azure), or a directory that all nodes see"
    )
