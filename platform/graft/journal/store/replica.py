"""The file of a journal in a copy, which follows the parts in the store; readers and the next writer find all there.

``journal.jsonl.seen`` says up to which byte the file is what the store has. What is behind that was written by a driver
on this machine that was cut off before the store had it: it is sent by the next driver here, unless one elsewhere has
gone on without it. Then it is put aside, beside the journal.
"""

import contextlib
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.private_files import open_private
from graft.core.storage import write_text
from graft.core.stores.copy import Copy
from graft.journal.lease import Terms, looks_alive
from graft.journal.lease_files import Holder
from graft.journal.locking import exclusive, try_lock
from graft.journal.store.parts import Parts
from graft.journal.store.store_lease import store_holder

_LOG = logging.getLogger(__name__)

TERMS = Terms(period=5.0, expiry=30.0)
"""Under which the lease in a store is held."""


@dataclass(frozen=True)
class Replica:
    """A journal's file in a copy.

    Attributes:
        copy: of the home.
        path: of the file.
    """

    copy: Copy
    path: Path

    @classmethod
    def of(cls, path: Path) -> "Replica | None":
        """The replica that a journal is; None in a home that is a directory."""
        copy = Copy.of(path)
        return None if copy is None else cls(copy, path)

    @property
    def parts(self) -> Parts:
        """Of the journal, in the store."""
        return Parts(self.copy, f"{self.copy.key(self.path.parent)}/journal/")

    @property
    def lease_key(self) -> str:
        """Of the lease, in the store."""
        return f"{self.copy.key(self.path.parent)}/journal.lease"

    @property
    def seen(self) -> int:
        """The byte up to which the file is what the store has."""
        try:
            end = int(json.loads(self._seen_file.read_text(encoding="utf-8"))["end"])
            return end if end <= self.path.stat().st_size else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def remember(self, end: int) -> None:
        """Note that the store has the file up to a byte."""
        write_text(self._seen_file, json.dumps({"end": end}) + "\n")

    def pull(self) -> bool:
        """For readers: add what the store has and the file has not; false if a driver of this machine writes it.

        Raises:
            GraftError: the store does not answer.
        """
        if self.is_written_here():
            return False
        with self.alone():
            if self.is_written_here():
                return False
            self.catch_up()
        return True

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process of this machine at a time brings the file up to date."""
        with exclusive(self.path.with_name(f"{self.path.name}.pull.lock")):
            yield

    def catch_up(self) -> int:
        """Add what the store has to the file; the byte up to which they are alike then."""
        seen = self.seen
        content = self.parts.read_from(seen)
        if not content:
            return seen
        file = open_private(self.path, os.O_RDWR)
        try:
            ahead = os.pread(file, os.fstat(file).st_size - seen, seen)
            if not content.startswith(ahead):
                ahead = self._put_aside(ahead) if not ahead.startswith(content) else ahead
            if len(ahead) < len(content):
                os.ftruncate(file, seen)
                _write_all(file, content, seen)
                os.fsync(file)
        finally:
            os.close(file)
        self.remember(seen + len(content))
        return seen + len(content)

    def holder(self) -> Holder | None:
        """Who holds the lease in the store, or held it last."""
        return store_holder(self.copy, self.lease_key)[0]

    def is_being_written(self) -> bool:
        """Whether a driver on another machine seems to live."""
        holder, place = store_holder(self.copy, self.lease_key)
        if holder is None or (holder.machine == TERMS.machine and place == str(self.copy.root)):
            return False
        return looks_alive(self.holder, TERMS)

    def is_written_here(self) -> bool:
        """Whether a driver of this machine writes it."""
        try:
            file = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return try_lock(file, fcntl.LOCK_SH, attempts=1) is False
        finally:
            os.close(file)

    def _put_aside(self, ahead: bytes) -> bytes:
        place = self.path.with_name(f"{self.path.name}.overtaken-{self.seen}")
        place.write_bytes(ahead)
        _LOG.warning(
            "%d records of this machine had not reached %s when another went on; they are in %s, and do not count",
            ahead.count(b"\n"), self.copy.address, place,
        )  # fmt: skip
        return b""

    @property
    def _seen_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.seen")


def _write_all(file: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(file, view, offset)
        view, offset = view[written:], offset + written


def pull(path: Path) -> None:
    """Have what the store has of a journal in its file; nothing to do in a home that is a directory."""
    if (replica := Replica.of(path)) is not None:
        replica.pull()


def is_written_here(path: Path) -> bool:
    """Whether a driver of this machine writes the journal of a home that is a store."""
    replica = Replica.of(path)
    return replica is not None and replica.is_written_here()
