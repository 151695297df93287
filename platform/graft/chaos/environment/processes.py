"""The processes that a chaos runner has started, found by a mark in their environment: no other one is ever touched."""

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.process_identity import ProcessIdentity

MARK = "GRAFT_REHEARSAL"
"""Name of an environment variable. Nothing reads it but this module: children inherit it, and so can be told apart."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process of this machine.

    Attributes:
        identity: which one.
        parent: id of its parent.
        title: its command line, or what it calls itself.
    """

    identity: ProcessIdentity
    parent: int
    title: str

    @property
    def pid(self) -> int:
        """Its id."""
        return self.identity.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        return self.identity.is_alive

    def kill(self) -> None:
        """End it at once, if it still is what it was."""
        self.identity.send(signal.SIGKILL)


def can_find_processes() -> bool:
    """Whether this system shows the environment of its processes."""
    return (_PROC / "self" / "environ").exists()


def marked(mark: str, *titles: str) -> list[Process]:
    """The live processes that inherited a mark, oldest first; with `titles`, those whose title holds one of them."""
    found = (process for process in _all() if _has(process.pid, mark) and process.is_alive)
    chosen = [process for process in found if not titles or any(title in process.title for title in titles)]
    return sorted(chosen, key=lambda process: (int(process.identity.started), process.pid))


def sweep(mark: str, patience: float) -> list[Process]:
    """Wait until all marked processes have ended; kill those that are left then, and return them."""
    deadline = time.monotonic() + patience
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        process.kill()
    return left


def _all() -> Iterator[Process]:
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                yield Process(ProcessIdentity.of(int(entry.name)), _parent(entry), title)


def _parent(entry: Path) -> int:
    """From the fields behind the name, which may hold blanks and brackets."""
    return int((entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])


def _has(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError):
        return f"{MARK}={mark}".encode() in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    return False
