"""Sends what a driver writes to its journal's file on to the store, in batches, and goes on trying while that is away.

The file on the driver's own disk comes first, as everywhere; the store has it half a second later, or 256 kB. What must
not overtake the journal there, such as the output of a stage, waits for it (`settle`).
"""

import contextlib
import logging
import os
import threading
import time
from functools import partial
from pathlib import Path

from graft.core.errors import ResourceError
from graft.core.stores.copy import PATIENCE_S as LONG_S
from graft.core.stores.storage import ConflictError, StorageError, StorageFault
from graft.journal.lease import Terms
from graft.journal.locking import PATIENCE_S
from graft.journal.store.parts import MERGED_BYTES, Part
from graft.journal.store.replica import TERMS, Replica
from graft.journal.store.store_lease import StoreLease

_LOG = logging.getLogger(__name__)

BATCH_S = 0.5
BATCH_BYTES = 256 << 10
CLOSE_S = 120.0
_MANY_PARTS = 200
_LONGEST_PAUSE_S = 5.0


class Shipper:
    """The store's side of a journal that this process writes.

    Taking the lease brings the file up to date; then `start` begins to send.

    Args:
        replica: the file; the caller holds its lock.
        terms: under which the lease is held.

    Raises:
        ResourceError: another writer holds the lease, or the store does not answer.
    """

    def __init__(self, replica: Replica, terms: Terms | None = None) -> None:
        self._replica = replica
        self.lease = StoreLease(replica.copy, replica.lease_key, terms or TERMS)
        try:
            self._sent, self._claim = self._begin()
        except BaseException:
            self.lease.release()
            raise
        self._mine: list[Part] = []
        self._sealed = 0
        self._wake, self._moved = threading.Event(), threading.Condition()
        self._is_closing = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._keep_sending, name="graft-journal-shipper", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def settle(self, patience: float = LONG_S) -> None:
        """Wait until the store has all that has been written so far.

        Raises:
            ResourceError: it has not, within so many seconds; or another writer has the journal.
        """
        end, began = self._size(), time.monotonic()
        self._wake.set()
        is_told = False
        with self._moved:
            while self._sent < end and self.lease.is_held and time.monotonic() < began + patience:
                self._moved.wait(0.5)
                if not is_told and time.monotonic() - began > PATIENCE_S:
                    is_told = True
                    _LOG.warning("waits for home %s to take the journal", self._replica.copy.address)
        self.lease.require()
        if self._sent < end:
            raise ResourceError(
                f"home {self._replica.copy.address} has not taken the journal for {patience:g} s ({self._trouble}); "
                f"when it is back, `graft resume {self._replica.path.parent.name}` goes on"
            )

    def close(self) -> None:
        """Send what is left, merge, and release the lease; what the store does not take now, the next driver sends."""
        self._is_closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)
        if self._sent < self._size():
            _LOG.warning(
                "the end of the journal has not reached %s (%s); `graft resume %s` on this machine sends it",
                self._replica.copy.address, self._trouble, self._replica.path.parent.name,
            )  # fmt: skip
        elif self.lease.is_held:
            with contextlib.suppress(StorageError, ConflictError):
                self._merge()
        self.lease.release()

    def _begin(self) -> tuple[int, str]:
        """Bring the file up to date, and take the end of the journal."""
        while True:
            end, parts = self._replica.catch_up(), self._replica.parts
            with contextlib.suppress(ConflictError):  # the one before was quicker with its last part
                return end, self._replica.copy.asked(partial(parts.claim, end, self.lease.nonce))

    def _keep_sending(self) -> None:
        pause = BATCH_S
        while self.lease.is_held:
            self._wake.wait(pause)
            self._wake.clear()
            is_last, pause = self._is_closing, BATCH_S
            try:
                self._send_all()
                self._trouble = ""
            except StorageError as error:
                self._told(error)
                pause = min(pause * 4, _LONGEST_PAUSE_S)
                if is_last and error.fault is not StorageFault.AWAY:
                    return
                continue
            except ConflictError:
                self.lease.lose()
            with self._moved:
                self._moved.notify_all()
            if is_last:
                return

    def _told(self, error: StorageError) -> None:
        if not self._trouble:
            address = self._replica.copy.address
            _LOG.warning("the journal cannot be sent to %s (%s); work goes on, and it is sent later", address, error)
        self._trouble = str(error)

    def _send_all(self) -> None:
        while content := self._batch():
            tag = self._replica.parts.append(self._sent, content, self._claim)
            self._mine.append(Part(self._sent, len(content), tag))
            self._sent, self._claim = self._sent + len(content), ""
            self._replica.remember(self._sent)
            if len(self._mine) >= _MANY_PARTS:
                self._merge()

    def _batch(self) -> bytes:
        """The next whole lines, as many as fit; one that is too long goes alone."""
        with self._replica.path.open("rb") as stream:
            stream.seek(self._sent)
            content = stream.read(BATCH_BYTES)
            end = content.rfind(b"\n") + 1
            if not end and len(content) == BATCH_BYTES:
                content += stream.readline()
                end = content.rfind(b"\n") + 1
        return content[:end]

    def _merge(self) -> None:
        if len(self._mine) < 3:
            return
        start, end = self._mine[0].start, self._mine[-1].start
        with self._replica.path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(end - start)
        merged = self._replica.parts.merge(self._mine, content)
        # One that has grown large stays as it is.
        self._mine = merged if merged[0].size < MERGED_BYTES else merged[1:]

    def _size(self) -> int:
        return os.stat(self._replica.path).st_size

    @classmethod
    def of(cls, path: Path, terms: Terms | None = None) -> "Shipper | None":
        """The shipper of a journal that is about to be written; None in a home that is a directory."""
        replica = Replica.of(path)
        return None if replica is None else cls(replica, terms)
