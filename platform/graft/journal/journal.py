"""The experiment's journal: append-only, flushed before anything else sees a record, one writer.

The journal is the truth; MLflow, the display and the report are its readers. A record is one ``write(2)`` of one line,
so a crash can only tear the last line, which every reader ignores and the next writer cuts off.

One writer at a time: by a lock of the operating system, which a killed process lets go of at once, and by a lease for
storage that several machines share (`lease`). A writer begins with the record `WriterOpened`; what one before it still
writes after that does not count (`lines`).

In a home that is a store, all this is so of the file in the driver's copy; `store` sends it on, under a lease of its
own, and brings it up to date for readers elsewhere.
"""

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from graft.core.clock import Clock, SystemClock
from graft.core.errors import ArtifactError, ResourceError
from graft.core.private_files import open_private, open_regular
from graft.core.storage import disk_full_is_clear
from graft.journal.events import Event, TrialReported, WriterOpened
from graft.journal.lease import Lease, Terms, looks_alive, take_lease
from graft.journal.lease_files import Holder, find_holder
from graft.journal.lines import Line, encode, parse, token_before, token_of
from graft.journal.locking import try_lock
from graft.journal.store.replica import Replica, pull
from graft.journal.store.shipper import Shipper

JOURNAL_NAME = "journal.jsonl"
_BLOCK = 65536

Subscriber = Callable[[Event], None]


def journal_path(experiment_dir: Path) -> Path:
    """Where the journal of an experiment lies."""
    return experiment_dir / JOURNAL_NAME


class Journal:
    """The one writer of a journal; any thread of its process may append.

    Args:
        path: the file; it and its directory are made if they are not there.
        clock: gives the records their time.
        terms: under which the lease is held.

    Raises:
        ResourceError: another process writes this journal, or it cannot be opened.
    """

    def __init__(self, path: Path, clock: Clock | None = None, terms: Terms | None = None) -> None:
        self.path = path
        self._clock = clock or SystemClock()
        self._subscribers: list[Subscriber] = []
        self._lock = threading.RLock()
        self._shipper: Shipper | None = None
        self._file, self._lease, self._shipper = _open(path, terms)
        try:
            self._size = _cut_torn_line(self._file)
            self._open_as_writer(terms or Terms())
            if self._shipper is not None:
                self._shipper.start()
        except BaseException:
            self._let_go()
            raise

    def append(self, event: Event) -> Event:
        """Record an event, then tell the subscribers; returns it as recorded, with its time.

        It is on the disk when this returns, except for `TrialReported`, which is only handed to the operating system:
        it survives the death of the process, not that of the machine.

        Raises:
            ResourceError: the disk is full or does not answer, or another writer has taken the journal over; it is as
                before.
        """
        with self._lock:
            recorded = event if event.time else replace(event, time=self._clock.now())
            self._write(recorded, is_synced=not isinstance(recorded, TrialReported))
            for subscriber in tuple(self._subscribers):
                subscriber(recorded)
        return recorded

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with every event after it is recorded; returns what ends that."""
        with self._lock:
            self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def settle(self) -> None:
        """Wait until a home that is a store has all that was appended; what depends on it may be written there then.

        Raises:
            ResourceError: the store does not take it.
        """
        if self._shipper is not None:
            self._shipper.settle()

    def close(self) -> None:
        """Flush to the disk and let another process write; closing twice is allowed."""
        with self._lock:
            if self._file < 0:
                return
            os.fsync(self._file)
            self._let_go()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open_as_writer(self, terms: Terms) -> None:
        """Recorded before this writer reads the journal: what an earlier one adds after that is known not to count."""
        opened = WriterOpened(self._lease.token, terms.machine.host, os.getpid(), time=terms.clock.now())
        self._write(opened, is_synced=True)

    def _let_go(self) -> None:
        if self._shipper is not None:
            self._shipper.close()
        self._lease.release()
        os.close(self._file)
        self._file = -1

    def _write(self, event: Event, *, is_synced: bool) -> None:
        if self._file < 0:
            raise ValueError(f"journal {self.path} is closed, but must be open to append")
        line = encode(event, self._lease.token)
        try:
            with disk_full_is_clear(self.path):
                self._lease.require()
                if self._shipper is not None:
                    self._shipper.lease.require()
                self._put(line, is_synced)
        except OSError as error:
            raise ResourceError(
                f"journal {self.path} cannot be written ({error.strerror}); when its storage is back, "
                f"`graft resume {self.path.parent.name}` goes on"
            ) from error
        self._size += len(line)

    def _put(self, line: bytes, is_synced: bool) -> None:
        try:
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if is_synced:
                os.fsync(self._file)
        except OSError:
            # A part of a line in the middle of the file would be damage; at its end it is only a torn line. What a
            # successor has written meanwhile must stay.
            if self._lease.is_held:
                os.ftruncate(self._file, self._size)
            raise


def read(path: Path, from_offset: int = 0) -> Iterator[tuple[int, Event]]:
    """Yield each whole record from a byte offset on, with the offset behind it: where to go on next time.

    Safe while a writer appends. Records of unknown kinds are passed over.

    Raises:
        ArtifactError: the file is missing, or a record in it is damaged.
    """
    for line in scan(path, from_offset):
        if line.is_torn:
            return
        if line.problem:
            advice = f"`graft journal verify {path.parent.name}` says what to do"
            raise ArtifactError(f"{path}, byte {line.offset}: {line.problem}; {advice}")
        if line.event is not None and not line.is_fenced and not isinstance(line.event, WriterOpened):
            yield line.end, line.event


def scan(path: Path, from_offset: int = 0) -> Iterator[Line]:
    """Yield every line from a byte offset on, the damaged ones and those that do not count too.

    Raises:
        ArtifactError: the file is missing, or no file.
        ResourceError: the home is a store, which does not answer.
    """
    pull(path)
    file = _opened_to_read(path)
    if file is None:
        told = f"journal {path} is not there, so nothing was recorded; delete {path.parent}, and run the job anew"
        raise ArtifactError(told)
    with open(file, "rb") as stream:
        newest = token_before(stream.fileno(), from_offset)
        stream.seek(from_offset)
        offset = from_offset
        for text in stream:
            line = parse(offset, text, newest)
            newest = max(newest, token_of(line.text))
            yield line
            offset = line.end


def find_writer(path: Path) -> Holder | None:
    """Who writes a journal, or wrote it last; None if nobody has.

    Raises:
        ResourceError: the home is a store, which does not answer.
    """
    replica = Replica.of(path)
    return find_holder(path) if replica is None else replica.holder()


def is_being_written(path: Path) -> bool:
    """Whether a live process has the journal open for writing: a driver that is killed lets go of it at once.

    Of a driver on another machine that is known only by its heartbeat, some seconds late; where the clocks of the two
    machines do not agree, by a second look some seconds later.
    """
    replica = Replica.of(path)
    if replica is not None and not path.exists():
        return replica.is_being_written()
    file = _opened_to_read(path)
    if file is None:
        return False
    try:
        is_free = try_lock(file, fcntl.LOCK_SH, attempts=1)
    finally:
        os.close(file)
    if is_free is False:
        return True
    if replica is not None:
        return replica.is_being_written()
    holder, terms = find_holder(path), Terms()
    if holder is None or (is_free and holder.machine == terms.machine):
        return False
    return looks_alive(lambda: find_holder(path), terms)


def _opened_to_read(path: Path) -> int | None:
    """The descriptor of a journal; None if it is not there.

    Raises:
        ArtifactError: it cannot be opened, or is no file.
    """
    try:
        return open_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ArtifactError(f"journal {path} cannot be read ({error.strerror}); restore the file") from error


def _open(path: Path, terms: Terms | None) -> tuple[int, Lease, Shipper | None]:
    replica = Replica.of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replica.alone() if replica else contextlib.nullcontext():
            return _opened(path, replica, terms)
    except OSError as error:
        raise ResourceError(f"journal {path} cannot be opened ({error.strerror}); choose another --home") from error


def _opened(path: Path, replica: Replica | None, terms: Terms | None) -> tuple[int, Lease, Shipper | None]:
    file, shipper = open_private(path, os.O_RDWR | os.O_APPEND), None
    try:
        is_locked = try_lock(file, fcntl.LOCK_EX, attempts=5)
        if is_locked is False:
            raise _refused(path)
        if replica is not None:
            _cut_torn_line(file)
            shipper = Shipper(replica, terms)
        newest = token_before(file, os.fstat(file).st_size)
        above = max(newest, shipper.lease.token - 1) if shipper else newest
        with disk_full_is_clear(path):
            return file, take_lease(path, terms or Terms(), is_locked=bool(is_locked), above=above), shipper
    except BaseException:
        if shipper is not None:
            shipper.lease.release()
        os.close(file)
        raise


def _refused(path: Path) -> ResourceError:
    holder = find_holder(path)
    who = f" ({holder.told})" if holder else ""
    return ResourceError(
        f"journal {path} is being written by another process{who}; an experiment has one driver at a time: "
        "wait for it, or stop it"
    )


def _cut_torn_line(file: int) -> int:
    """Drop what follows the last line end, left by a crash; returns the size that remains."""
    size = end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        line_end = os.pread(file, end - start, start).rfind(b"\n")
        if line_end >= 0:
            end = start + line_end + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
    return end
