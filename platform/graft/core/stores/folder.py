"""A folder that is treated as a store: a file system that all nodes share, of which each keeps copies of its own."""

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from graft.core.stores.storage import ConflictError, Entry, StorageError, StorageFault

_LOCK = ".graft-lock"
_SCRATCH = ".graft-part-"


class FolderStorage:
    """Objects as the files below a folder.

    Args:
        root: the folder; it is there.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str, start: int = 0) -> tuple[bytes, str] | None:
        """The bytes of an object from an offset on, and its tag."""
        with _sorted(), contextlib.suppress(FileNotFoundError, NotADirectoryError), self._at(key).open("rb") as stream:
            tag = _tag(os.fstat(stream.fileno()))
            stream.seek(start)
            return stream.read(), tag
        return None

    def entry(self, key: str) -> Entry | None:
        """What is known of an object."""
        with _sorted(), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return _entry(key, self._at(key).stat())
        return None

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin so, in the order of their keys."""
        with _sorted():
            top = self._at(prefix.rpartition("/")[0])
            found = (path for path in top.rglob("*") if _SCRATCH not in path.name and path.name != _LOCK)
            keys = sorted(path.relative_to(self._root).as_posix() for path in found if path.is_file())
        for key in keys:
            if key.startswith(prefix) and key > after and (entry := self.entry(key)) is not None:
                yield entry

    def folders(self, prefix: str) -> Iterator[str]:
        """Names between a prefix that ends in a slash and the next slash."""
        with _sorted():
            top = self._at(prefix)
            yield from sorted(path.name for path in top.iterdir() if path.is_dir()) if top.is_dir() else ()

    def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there."""
        with _sorted(), self._scratch(key) as scratch:
            scratch.write_bytes(content)
            try:
                os.link(scratch, self._at(key))
            except FileExistsError:
                raise ConflictError(key) from None
            return _tag(self._at(key).stat())

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object that still has a tag."""
        with _sorted(), self._scratch(key) as scratch, (self._root / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            now = self.entry(key)
            if now is None or now.tag != tag:
                raise ConflictError(key)
            scratch.write_bytes(content)
            os.replace(scratch, self._at(key))
            return _tag(self._at(key).stat())

    def upload(self, key: str, file: Path, digest: str) -> str:
        """Write an object with the content of a file."""
        with _sorted(), self._scratch(key) as scratch:
            shutil.copyfile(file, scratch)
            os.replace(scratch, self._at(key))
            return _tag(self._at(key).stat())

    def download(self, key: str, file: Path) -> Entry | None:
        """Write the content of an object into a file."""
        with _sorted(), contextlib.suppress(FileNotFoundError, NotADirectoryError), self._at(key).open("rb") as stream:
            entry = _entry(key, os.fstat(stream.fileno()))
            with file.open("wb") as target:
                shutil.copyfileobj(stream, target)
            return entry
        return None

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with _sorted():
            self._at(key).unlink(missing_ok=True)

    def _at(self, key: str) -> Path:
        return self._root / key

    @contextlib.contextmanager
    def _scratch(self, key: str) -> Iterator[Path]:
        path = self._at(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"{_SCRATCH}{secrets.token_hex(4)}")
        try:
            yield scratch
        finally:
            scratch.unlink(missing_ok=True)


def _entry(key: str, found: os.stat_result) -> Entry:
    return Entry(key, found.st_size, _tag(found), found.st_mtime)


def _tag(found: os.stat_result) -> str:
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


@contextlib.contextmanager
def _sorted() -> Iterator[None]:
    """The system's errors as those of a store."""
    try:
        yield
    except PermissionError as error:
        raise StorageError(StorageFault.DENIED, error.strerror or str(error)) from error
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise StorageError(StorageFault.AWAY, error.strerror or str(error)) from error
