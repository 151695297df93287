"""The experiment's journal: append-only, flushed before anything else sees a record, one writer.

The journal is the truth; MLflow, the display and the report are its readers. A record is one ``write(2)`` of one line,
so a crash can only tear the last line, which every reader ignores and the next writer cuts off.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from graft.core.clock import Clock, SystemClock
from graft.core.errors import ArtifactError, ResourceError
from graft.core.storage import disk_full_is_clear
from graft.tracking.events import Event, TrialReported, from_json, to_json

JOURNAL_NAME = "journal.jsonl"

Subscriber = Callable[[Event], None]


def journal_path(experiment_dir: Path) -> Path:
    """Where the journal of an experiment lies."""
    return experiment_dir / JOURNAL_NAME


class Journal:
    """The one writer of a journal; any thread of its process may append.

    Args:
        path: the file; it and its directory are made if they are not there.
        clock: gives the records their time.

    Raises:
        ResourceError: another process writes this journal, or it cannot be opened.
    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._subscribers: list[Subscriber] = []
        self._lock = threading.RLock()
        self._file = _open_locked(path)
        self._size = _cut_torn_line(self._file)

    def append(self, event: Event) -> Event:
        """Record an event, then tell the subscribers; returns it as recorded, with its time.

        It is on the disk when this returns, except for `TrialReported`, which is only handed to the operating system:
        it survives the death of the process, not that of the machine.

        Raises:
            ResourceError: the disk is full; the journal is as before.
        """
        with self._lock:
            recorded = event if event.time else replace(event, time=self._clock.now())
            self._write((to_json(recorded) + "\n").encode())
            if not isinstance(recorded, TrialReported):
                os.fsync(self._file)
            for subscriber in tuple(self._subscribers):
                subscriber(recorded)
        return recorded

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every event after it is recorded; returns what ends that."""
        with self._lock:
            self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def close(self) -> None:
        """Flush to the disk and let another process write; closing twice is allowed."""
        with self._lock:
            if self._file < 0:
                return
            os.fsync(self._file)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        if self._file < 0:
            raise ValueError(f"journal {self.path} is closed, but must be open to append")
        with disk_full_is_clear(self.path):
            try:
                written = os.write(self._file, line)
                if written < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # A part of a line in the middle of the file would be damage; at its end it is only a torn line.
                os.ftruncate(self._file, self._size)
                raise
        self._size += written


def read(path: Path, from_offset: int = 0) -> Iterator[tuple[int, Event]]:
    """Yield each whole record from a byte offset on, with the offset behind it: where to go on next time.

    Safe while a writer appends. Records of unknown kinds are passed over.

    Raises:
        ArtifactError: the file is missing, or a record in it is damaged.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ArtifactError(
            f"journal {path} cannot be read ({error.strerror}); name an experiment's directory"
        ) from error
    with stream:
        stream.seek(from_offset)
        offset = from_offset
        for line in stream:
            if not line.endswith(b"\n"):
                return
            event = _parse(path, offset, line)
            offset += len(line)
            if event is not None:
                yield offset, event


def is_being_written(path: Path) -> bool:
    """Whether a live process has the journal open for writing: a driver that is killed lets go of it at once."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _lock(file, fcntl.LOCK_SH, attempts=1)
    finally:
        os.close(file)


def _parse(path: Path, offset: int, line: bytes) -> Event | None:
    try:
        return from_json(line)
    except ArtifactError as error:
        raise ArtifactError(f"{path}, byte {offset}: {error}") from error


def _open_locked(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as error:
        raise ResourceError(f"journal {path} cannot be opened ({error.strerror}); choose another --home") from error
    if not _lock(file, fcntl.LOCK_EX, attempts=5):
        os.close(file)
        raise ResourceError(
            f"journal {path} is being written by another process; an experiment has one driver at a time: "
            "wait for it, or stop it"
        )
    return file


def _lock(file: int, mode: int, attempts: int) -> bool:
    """Try for a moment: `is_being_written` holds a journal that nobody writes, but only for microseconds."""
    for attempt in range(attempts):
        try:
            fcntl.flock(file, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02 * (attempt + 1 < attempts))
        else:
            return True
    return False


def _cut_torn_line(file: int) -> int:
    """Drop what follows the last line end, left by a crash; returns the size that remains."""
    size = end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - 65536)
        line_end = os.pread(file, end - start, start).rfind(b"\n")
        if line_end >= 0:
            end = start + line_end + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    return end
