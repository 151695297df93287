"""The processes that a chaos runner has started, found by a mark in their environment: no other one is ever touched."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "GRAFT_REHEARSAL"
"""Name of an environment variable. Nothing reads it but this module: children inherit it, and so can be told apart."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A process of this machine.

    Attributes:
        pid: its id.
        started: when it started, in clock ticks since the machine did; with the id, no other process is like it.
        parent: id of its parent.
        title: its command line, or what it calls itself.
    """

    pid: int
    started: int
    parent: int
    title: str

    @property
    def is_alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        with contextlib.suppress(OSError):
            fields = _stat(self.pid)
            return int(fields[19]) == self.started and fields[0] not in ("Z", "X")
        return False

    def kill(self) -> None:
        """End it at once, if it still is what it was."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def can_find_processes() -> bool:
    """Whether this system shows the environment of its processes."""
    return (_PROC / "self" / "environ").exists()


def marked(mark: str, *titles: str) -> list[Process]:
    """The live processes that inherited a mark, oldest first; with `titles`, those whose title holds one of them."""
    found = (process for process in _all() if _has(process.pid, mark) and process.is_alive)
    chosen = [process for process in found if not titles or any(title in process.title for title in titles)]
    return sorted(chosen, key=lambda process: (process.started, process.pid))


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
                pid, fields = int(entry.name), _stat(int(entry.name))
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                yield Process(pid, int(fields[19]), int(fields[1]), title)


def _stat(pid: int) -> list[str]:
    """Fields from the state on: the name before them may hold blanks and brackets."""
    return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()


def _has(pid: int, mark: str) -> bool:
    with contextlib.suppress(OSError):
        return f"{MARK}={mark}".encode() in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    return False
