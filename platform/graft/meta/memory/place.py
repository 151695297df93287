"""Where the parts of a task memory lie: a directory of this machine, or a path in an object store.

A part is written once, whole or not at all, and never changed: so any number of processes and machines write at once.
"""

import contextlib
import os
import posixpath
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from pyarrow import fs

from graft.core.errors import ResourceError
from graft.core.private_files import make_private_directory, read_regular
from graft.core.storage import Home, disk_full_is_clear
from graft.core.stores.address import HomeAddress
from graft.core.uris import scheme_of, user_path
from graft.data.remote.arrow_store import filesystem_of
from graft.journal.locking import exclusive

VARIABLE = "GRAFT_MEMORY"
OFF = "off"
SUFFIX = ".parquet"


class Place(Protocol):
    """Parts by kind and name; names in the order in which they were written."""

    def __str__(self) -> str:
        """Its address, for people."""

    def names(self, kind: str) -> list[str]:
        """The parts of a kind.

        Raises:
            ResourceError: it cannot be listed.
        """

    def read(self, kind: str, name: str) -> bytes:
        """A part.

        Raises:
            FileNotFoundError: it is gone.
            OSError: it cannot be read.
        """

    def write(self, kind: str, name: str, content: bytes) -> None:
        """Write a part.

        Raises:
            ResourceError: it cannot be written.
        """

    def remove(self, kind: str, name: str) -> None:
        """Delete a part; one that is gone already is no error.

        Raises:
            ResourceError: it cannot be deleted.
        """

    def is_own(self, kind: str, name: str) -> bool | None:
        """Whether the user of this process has written it; None where the place cannot tell."""

    def alone(self) -> contextlib.AbstractContextManager[object]:
        """Keep out others of this machine who would rewrite parts; whoever appends is not kept out."""


def new_part_name() -> str:
    """A name for a part that no other writer takes; names sort by time."""
    return f"{time.time_ns():020d}-{secrets.token_hex(6)}{SUFFIX}"


def place_of(home: Home, given: str | None = None) -> Place | None:
    """The place of the memory: as given, as ``GRAFT_MEMORY`` says, else in the home; None if it is ``off``.

    Raises:
        SpecError: the address is of no store that can be written.
    """
    named = given or os.environ.get(VARIABLE) or _in_home(home)
    if named.lower() == OFF:
        return None
    if not scheme_of(named):
        return LocalPlace(user_path(named).absolute())
    return RemotePlace(named, *filesystem_of(named))


def _in_home(home: Home) -> str:
    """In a home that is a store, it lies there."""
    return HomeAddress.of(home.address).at("memory").removeprefix("folder://") if home.address else str(home.memory)


@dataclass(frozen=True)
class LocalPlace:
    """A directory, on a disk of this machine or one that machines share."""

    root: Path

    def __str__(self) -> str:
        return str(self.root)

    def names(self, kind: str) -> list[str]:
        """See `Place.names`."""
        try:
            return sorted(one.name for one in os.scandir(self.root / kind) if _is_part(one.name))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _no_answer("read", self, error) from error

    def read(self, kind: str, name: str) -> bytes:
        """See `Place.read`."""
        return read_regular(self.root / kind / name)

    def write(self, kind: str, name: str, content: bytes) -> None:
        """See `Place.write`."""
        folder = self.root / kind
        scratch = folder / f".{name}"
        try:
            with disk_full_is_clear(folder):
                make_private_directory(folder)
                with scratch.open("xb") as stream:
                    stream.write(content)
                    stream.flush()
                    os.fsync(stream.fileno())
                os.replace(scratch, folder / name)
        except OSError as error:
            raise _no_answer("written", self, error) from error
        finally:
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)

    def remove(self, kind: str, name: str) -> None:
        """See `Place.remove`."""
        try:
            (self.root / kind / name).unlink(missing_ok=True)
        except OSError as error:
            raise _no_answer("changed", self, error) from error

    def is_own(self, kind: str, name: str) -> bool | None:
        """See `Place.is_own`."""
        try:
            return (self.root / kind / name).stat().st_uid == os.geteuid()
        except OSError:
            return None

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See `Place.alone`."""
        try:
            with exclusive(self.root / ".rewriting"):
                yield
        except PermissionError as error:
            raise _no_answer("changed", self, error) from error


@dataclass(frozen=True)
class RemotePlace:
    """A path in an object store; an object appears there when it is whole."""

    address: str
    filesystem: fs.FileSystem
    path: str

    def __str__(self) -> str:
        return self.address

    def names(self, kind: str) -> list[str]:
        """See `Place.names`."""
        wanted = fs.FileSelector(posixpath.join(self.path, kind), allow_not_found=True)
        try:
            found = self.filesystem.get_file_info(wanted)
        except (OSError, pa.ArrowException) as error:
            raise _no_answer("read", self, error) from error
        return sorted(one.base_name for one in found if _is_part(one.base_name))

    def read(self, kind: str, name: str) -> bytes:
        """See `Place.read`."""
        with self.filesystem.open_input_stream(self._at(kind, name)) as stream:
            content: bytes = stream.read()
        return content

    def write(self, kind: str, name: str, content: bytes) -> None:
        """See `Place.write`."""
        try:
            self.filesystem.create_dir(posixpath.join(self.path, kind), recursive=True)
            with self.filesystem.open_output_stream(self._at(kind, name)) as stream:
                stream.write(content)
        except (OSError, pa.ArrowException) as error:
            raise _no_answer("written", self, error) from error

    def remove(self, kind: str, name: str) -> None:
        """See `Place.remove`."""
        try:
            self.filesystem.delete_file(self._at(kind, name))
        except FileNotFoundError:
            return
        except (OSError, pa.ArrowException) as error:
            raise _no_answer("changed", self, error) from error

    def is_own(self, kind: str, name: str) -> bool | None:
        """See `Place.is_own`: a store does not tell."""
        return None

    def alone(self) -> contextlib.AbstractContextManager[object]:
        """See `Place.alone`: of others, tombstones and identities take care (`graft.meta.memory.store`)."""
        return contextlib.nullcontext()

    def _at(self, kind: str, name: str) -> str:
        return posixpath.join(self.path, kind, name)


def _is_part(name: str) -> bool:
    return name.endswith(SUFFIX) and not name.startswith(".")


def _no_answer(what: str, place: Place, error: BaseException) -> ResourceError:
    reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    told = f"task memory {place} cannot be {what} ({reason}); name another with {VARIABLE}, or {VARIABLE}={OFF}"
    return ResourceError(told)
