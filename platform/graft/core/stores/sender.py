"""Sends files of one piece of work to a home that is a store; while that is away, work goes on, and they go later."""

import contextlib
import logging
import threading
from pathlib import Path

from graft.core.errors import GraftError
from graft.core.stores.copy import PATIENCE_S, Copy

_LOG = logging.getLogger(__name__)

NOW_S = 5.0
"""So long a file is waited for; then others may not find it yet, for which they wait (`LATE_S`)."""

LATE_S = 20.0
"""How long whoever needs a file of another node waits for it: longer than pauses between attempts."""

_PAUSE_S = 2.0


class Sender:
    """Sends files; use it from one thread, and close it when the work is done.

    Args:
        patience: seconds that `close` waits for what is late.
    """

    def __init__(self, patience: float = PATIENCE_S) -> None:
        self._patience = patience
        self._late: dict[Path, Copy] = {}
        self._guard, self._is_empty, self._is_closed = threading.Lock(), threading.Event(), threading.Event()
        self._is_empty.set()
        self._thread: threading.Thread | None = None

    def send(self, path: Path) -> None:
        """Write a file to the store, now if it answers; nothing to do in a home that is a directory."""
        if (copy := Copy.of(path)) is None:
            return
        if self._is_empty.is_set():
            try:
                copy.publish(path, NOW_S)
            except GraftError as error:
                _LOG.warning("%s; work goes on, and %s is sent later", error, path.name)
            else:
                return
        with self._guard:
            self._late[path] = copy
            self._is_empty.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_sending, name="graft-late-files", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Wait until what is late has arrived."""
        if not self._is_empty.wait(self._patience):
            _LOG.warning("%s have not reached the store", ", ".join(path.name for path in self._late))
        self._is_closed.set()

    def __enter__(self) -> "Sender":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep_sending(self) -> None:
        while not self._is_closed.wait(_PAUSE_S):
            with contextlib.suppress(GraftError):
                for path, copy in self._waiting():
                    with contextlib.suppress(FileNotFoundError):  # deleted: nobody needs it any more
                        copy.publish(path, 0.0)
                    self._has_arrived(path)

    def _waiting(self) -> tuple[tuple[Path, Copy], ...]:
        with self._guard:
            return tuple(self._late.items())

    def _has_arrived(self, path: Path) -> None:
        with self._guard:
            self._late.pop(path, None)
            if not self._late:
                self._is_empty.set()
