"""Who may write a journal, on storage that several machines share.

A lock of the operating system (`flock`) is let go when its process dies, but may not reach other machines. So a writer
also holds a lease: a file beside the journal, ``journal.jsonl.lease.<token>``, created exclusively, in which a thread
counts a heartbeat up. Whoever takes the lease over creates the file of the next token and deletes the one before; the
writer whose file is gone has lost it for good (fencing token: Kleppmann, "How to do distributed locking", 2016).

A lease of another machine is free when it was released, or when its heartbeat has stood still for `Terms.expiry`
seconds of the asking machine's monotonic clock. No times of two machines are ever compared to decide that, so a clock
that is wrong, or is set back, changes nothing.
"""

import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from graft.core.clock import Clock, SystemClock
from graft.core.errors import ResourceError
from graft.core.private_files import open_private
from graft.core.process_identity import Machine
from graft.journal.lease_files import (
    SIZE,
    Holder,
    find_holder,
    holder_of,
    lease_content,
    lease_file,
    lease_files,
)

_LOG = logging.getLogger(__name__)


MOST_APART_S = 3600.0
"""What two clocks may differ by; a heartbeat that is further away is that of a writer which is gone."""


@dataclass(frozen=True)
class Terms:
    """Under which a lease is taken and held.

    Attributes:
        machine: that takes it.
        period: seconds between heartbeats.
        expiry: seconds without one after which another machine may take it over.
        clock: measures them.
        wait: sleeps for the seconds given.
    """

    machine: Machine = field(default_factory=Machine.here)
    period: float = 3.0
    expiry: float = 15.0
    clock: Clock = field(default_factory=SystemClock)
    wait: Callable[[float], None] = time.sleep


class Lease:
    """A lease that this process has taken; it is held until it is released, or another writer takes it over.

    Args:
        path: its file, which is there and empty.
        file: descriptor of that.
        token: its number.
        terms: under which it is held.
    """

    def __init__(self, path: Path, file: int, token: int, terms: Terms) -> None:
        self.token = token
        self._path, self._file, self._terms = path, file, terms
        self._nonce = secrets.token_hex(8).encode()
        self._since = terms.clock.now()
        self._beats = 0
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._show()
        threading.Thread(target=self._keep, name="graft-journal-lease", daemon=True).start()

    @property
    def is_held(self) -> bool:
        """Whether nobody else has taken it."""
        return self._nonce in (lease_content(self._path) or b"")

    def require(self) -> None:
        """Raise unless it is held.

        Raises:
            ResourceError: another writer has taken it over.
        """
        if self.is_held:
            return
        newest = find_holder(self._path.with_name(self._path.name.partition(".lease.")[0]))
        by = f" by {newest.told}" if newest and newest.token > self.token else ""
        raise ResourceError(
            f"the lease of {self._path.parent} was taken over{by}, while this process (writer {self.token}) gave no "
            "sign of life; an experiment has one driver at a time: leave it to that one"
        )

    def release(self) -> None:
        """Let others have it at once; releasing twice is allowed."""
        self._stop.set()
        with self._guard:
            if self._file < 0:
                return
            with contextlib.suppress(OSError):  # it ends by itself then
                self._write(is_released=True)
            os.close(self._file)
            self._file = -1

    def _keep(self) -> None:
        while not self._stop.wait(self._terms.period):
            try:
                self._show()
            except OSError as error:
                _LOG.warning("the heartbeat of %s could not be written: %s", self._path, error)

    def _show(self) -> None:
        with self._guard:
            if self._file >= 0:
                self._beats += 1
                self._write(is_released=False)

    def _write(self, is_released: bool) -> None:
        record = {
            "version": 1,
            "token": self.token,
            "nonce": self._nonce.decode(),
            "host": self._terms.machine.host,
            "boot": self._terms.machine.boot,
            "pid": os.getpid(),
            "since": self._since,
            "heartbeat": self._terms.clock.now(),
            "beats": self._beats,
            "released": is_released,
        }
        os.pwrite(self._file, json.dumps(record).ljust(SIZE - 1).encode() + b"\n", 0)
        os.fsync(self._file)


def take_lease(journal: Path, terms: Terms, *, is_locked: bool, above: int) -> Lease:
    """Take the lease of a journal, if it is free.

    Args:
        journal: the journal's file.
        terms: under which it is taken.
        is_locked: whether this process holds the operating system's lock on the journal, so that no other process of
            this machine can be writing it.
        above: a token that was given before.

    Raises:
        ResourceError: another writer holds it.
    """
    leases = lease_files(journal)
    newest = max(leases, default=None)
    if newest is not None:
        _require_free(leases[newest], terms, is_locked)
    token = max(above, newest or 0) + 1
    path = lease_file(journal, token)
    try:
        file = open_private(path, os.O_RDWR | os.O_EXCL)
    except FileExistsError:
        raise ResourceError(
            f"journal {journal} is being written by another process, which has just opened it; an experiment has one "
            "driver at a time: wait for it, or stop it"
        ) from None
    try:
        lease = Lease(path, file, token, terms)
    except OSError:
        os.close(file)
        path.unlink()
        raise
    for old in leases.values():
        old.unlink(missing_ok=True)
    return lease


def looks_alive(look: Callable[[], Holder | None], terms: Terms) -> bool:
    """Whether a writer on another machine seems to live; only for display.

    One look is enough where both clocks agree. Where its last heartbeat was minutes ago, or is still to come, that
    may be a clock that is wrong: then a second look tells whether it goes on.

    Args:
        look: who holds the lease, as it stands now.
        terms: of this machine.
    """
    holder = look()
    if holder is None or holder.is_released:
        return False
    apart = abs(terms.clock.now() - holder.heartbeat)
    if not 2 * terms.expiry <= apart < MOST_APART_S:
        return apart < MOST_APART_S
    terms.wait(1.5 * terms.period)
    after = look()
    return after is not None and not after.is_released and after.heartbeat != holder.heartbeat


def _require_free(path: Path, terms: Terms, is_locked: bool) -> None:
    before = lease_content(path)
    holder = holder_of(before)
    if holder and (holder.is_released or (is_locked and holder.machine == terms.machine)):
        return
    start = terms.clock.elapsed()
    while terms.clock.elapsed() - start < terms.expiry:
        terms.wait(terms.period / 2)
        now = lease_content(path)
        if now == before:
            continue
        holder = holder_of(now) or holder
        if now is None or (holder and holder.is_released):
            return
        who = f": {holder.told} (writer {holder.token})" if holder else ""
        raise ResourceError(
            f"the journal in {path.parent} is being written by another process{who}; an experiment has one driver at a "
            f"time: wait for it, or stop it there; if it is killed, this is possible {terms.expiry:g} s later"
        )
