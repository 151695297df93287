"""The files of a journal's leases, ``journal.jsonl.lease.<token>`` beside it, and what they say of their holders."""

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError
from graft.core.private_files import open_regular
from graft.core.process_identity import Machine, ProcessIdentity

# Heartbeats overwrite a file in place, which needs no space on a full disk and shows no reader a shorter text.
SIZE = 1024


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, or held the last one.

    Attributes:
        token: counts the writers of the journal.
        machine: where it runs.
        pid: its process there.
        since: when it took the lease, by its clock.
        heartbeat: when it last said that it lives, by its clock.
        is_released: whether it has ended well.
    """

    token: int
    machine: Machine
    pid: int
    since: float
    heartbeat: float
    is_released: bool

    @property
    def is_stopped(self) -> bool:
        """Whether it is known to be stopped (Ctrl-Z, SIGSTOP): its lease is held, but it does nothing."""
        return self.machine == Machine.here() and ProcessIdentity.of(self.pid).is_stopped

    @property
    def told(self) -> str:
        """At a glance."""
        stopped = f", which is stopped: `kill -CONT {self.pid}` lets it go on" if self.is_stopped else ""
        return f"pid {self.pid} on {self.machine.host}{stopped}"


def find_holder(journal: Path) -> Holder | None:
    """Who writes a journal, or wrote it last; None if nobody has."""
    leases = lease_files(journal)
    return holder_of(lease_content(leases[max(leases)])) if leases else None


def lease_files(journal: Path) -> Mapping[int, Path]:
    """Token -> file; more than one while a lease changes hands."""
    prefix = f"{journal.name}.lease."
    found = (entry for entry in journal.parent.iterdir() if entry.name.startswith(prefix))
    return {int(number): entry for entry in found if (number := entry.name.removeprefix(prefix)).isdecimal()}


def lease_file(journal: Path, token: int) -> Path:
    """Where the lease with this token lies."""
    return journal.with_name(f"{journal.name}.lease.{token}")


def lease_content(path: Path) -> bytes | None:
    """What stands in a lease; None if it is gone.

    The file is opened by its name each time: over a network file system that asks the server, while a look at an open
    file may be answered from memory.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ESTALE):
            return None
        if error.errno in (errno.EINVAL, errno.EISDIR):
            raise ArtifactError(f"{path} cannot be read as a lease ({error.strerror}); remove it") from error
        raise
    try:
        return os.read(file, SIZE)
    finally:
        os.close(file)


def holder_of(content: bytes | None) -> Holder | None:
    """Who has written it; None if it is gone, or is being created."""
    try:
        stored: Any = json.loads(content or b"")
        machine = Machine(str(stored["host"]), str(stored["boot"]))
        times = float(stored["since"]), float(stored["heartbeat"])
        return Holder(int(stored["token"]), machine, int(stored["pid"]), *times, bool(stored["released"]))
    except (ValueError, KeyError, TypeError):
        return None
