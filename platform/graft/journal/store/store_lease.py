"""Who may write a journal in a store: an object that is written only by who has seen its last version.

Its holder counts a heartbeat up, each by a conditional write with the tag of the one before (`If-Match`). A lease is
free when it was released, or when nothing in it has moved for `Terms.expiry` seconds of the asking machine's monotonic
clock: no times of two machines are compared. Who takes it over changes its tag, so the next heartbeat of the one
before fails, and that one is told (fencing). What it may have on its way to the journal is refused there (`parts`).

A store that is away costs nobody the lease: nobody else can write it meanwhile either.
"""

import contextlib
import json
import logging
import os
import secrets
import threading
from typing import Any

from graft.core.errors import ResourceError
from graft.core.stores.copy import Copy
from graft.core.stores.storage import ConflictError, StorageError
from graft.journal.lease import Terms
from graft.journal.lease_files import Holder, holder_of

_LOG = logging.getLogger(__name__)

CONTACT_S = 10.0


class StoreLease:
    """The lease of a journal, taken by this process; held until it is released, or another writer takes it over.

    Args:
        copy: of the home.
        key: of the lease in the store.
        terms: under which it is taken and held.

    Raises:
        ResourceError: another writer holds it, or the store does not answer.
    """

    def __init__(self, copy: Copy, key: str, terms: Terms) -> None:
        self._copy, self._key, self._terms = copy, key, terms
        self.nonce = secrets.token_hex(8)
        self._since, self._beats = terms.clock.now(), 0
        self._guard, self._stop = threading.Lock(), threading.Event()
        self._lost: Holder | None = None
        self.is_held = True
        found = self._read()
        before = None if found is None else self._when_free(found)
        holder = holder_of(before[0]) if before else None
        self.token = (holder.token if holder else 0) + 1
        self._tag = self._take(before[1] if before else "")
        threading.Thread(target=self._keep, name="graft-store-lease", daemon=True).start()

    def require(self) -> None:
        """Raise unless it is held, as far as is known.

        Raises:
            ResourceError: another writer has taken it over.
        """
        if self.is_held:
            return
        by = f" by {self._lost.told}" if self._lost else ""
        raise ResourceError(
            f"the lease of {self._copy.address.at(self._key)} was taken over{by}, while this process gave the store no "
            "sign of life; an experiment has one driver at a time: leave it to that one"
        )

    def lose(self) -> None:
        """It is known from elsewhere that another writer is there."""
        self.is_held = False
        with contextlib.suppress(StorageError):
            self._lost = holder_of((self._copy.storage.read(self._key) or (b"", ""))[0])

    def release(self) -> None:
        """Let others have it at once; releasing twice is allowed."""
        if self._stop.is_set():
            return
        self._stop.set()
        with self._guard, contextlib.suppress(StorageError, ConflictError):  # it ends by itself then
            self._tag = self._swap(self._content(is_released=True), self._tag)

    def _when_free(self, found: tuple[bytes, str]) -> tuple[bytes, str]:
        """The version of the lease that can be followed: the one that is there, or that comes while it is watched."""
        holder = holder_of(found[0])
        if holder is not None and (holder.is_released or self._was_ours(found[0], holder)):
            return found
        terms, start = self._terms, self._terms.clock.elapsed()
        while terms.clock.elapsed() - start < terms.expiry:
            terms.wait(terms.period / 2)
            now = self._read()
            if now is not None and now[1] == found[1]:
                continue
            after = holder_of(now[0]) if now else None
            if now is not None and after is not None and after.is_released:
                return now
            raise self._refused(after or holder, f"if it is killed, this is possible {terms.expiry:g} s later")
        return found

    def _take(self, before: str) -> str:
        """Write the first version; one whose answer was lost counts."""
        content = self._content()
        try:
            return self._copy.asked(
                lambda storage: (
                    storage.replace(self._key, content, before) if before else storage.create(self._key, content)
                ),
                CONTACT_S,
            )
        except ConflictError:
            found = self._read()
            if found is not None and found[0] == content:
                return found[1]
            raise self._refused(holder_of(found[0]) if found else None, "it has just been opened there") from None

    def _was_ours(self, content: bytes, holder: Holder) -> bool:
        """Whether a process of this machine held it, on this very copy: this one has its lock, so that one is gone."""
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            stored: dict[str, Any] = json.loads(content)
            return holder.machine == self._terms.machine and stored.get("copy") == str(self._copy.root)
        return False

    def _refused(self, holder: Holder | None, more: str) -> ResourceError:
        who = f" ({holder.told})" if holder else ""
        place = self._copy.address.at(self._key.rpartition("/")[0])
        return ResourceError(
            f"{place} is being run by another process{who}; an experiment has one driver at a time: wait for it, or "
            f"stop it there; {more}"
        )

    def _keep(self) -> None:
        while self.is_held and not self._stop.wait(self._terms.period):
            with self._guard:
                if self._stop.is_set():
                    return
                self._beats += 1
                try:
                    self._tag = self._swap(self._content(), self._tag)
                except StorageError as error:
                    _LOG.warning("the heartbeat of %s did not arrive: %s", self._copy.address.at(self._key), error)
                except ConflictError:
                    self.lose()

    def _swap(self, content: bytes, tag: str) -> str:
        """Write the next version of the lease; one that was written, but whose answer was lost, counts."""
        try:
            return self._copy.storage.replace(self._key, content, tag)
        except ConflictError:
            found = self._copy.storage.read(self._key)
            if found is not None and self.nonce.encode() in found[0]:
                return found[1]
            raise

    def _read(self) -> tuple[bytes, str] | None:
        return self._copy.asked(lambda storage: storage.read(self._key), CONTACT_S)

    def _content(self, is_released: bool = False) -> bytes:
        machine = self._terms.machine
        record = {
            "version": 1,
            "token": self.token,
            "nonce": self.nonce,
            "host": machine.host,
            "boot": machine.boot,
            "copy": str(self._copy.root),
            "pid": os.getpid(),
            "since": self._since,
            "heartbeat": self._terms.clock.now(),
            "beats": self._beats,
            "released": is_released,
        }
        return json.dumps(record).encode() + b"\n"


def store_holder(copy: Copy, key: str) -> tuple[Holder | None, str]:
    """Who holds a lease, or held it last, and the copy it works on."""
    found = copy.asked(lambda storage: storage.read(key), CONTACT_S)
    holder = holder_of(found[0]) if found else None
    return holder, str(json.loads(found[0]).get("copy", "")) if found and holder else ""
