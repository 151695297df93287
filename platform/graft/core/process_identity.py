"""Which process is meant: a number alone may be another machine's, or of a process that came later."""

import contextlib
import getpass
import json
import os
import signal
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_ENDED = ("Z", "X")
_STOPPED = ("T", "t")


def user_name() -> str:
    """Who runs this process; by the number where nobody has given it a name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid{os.getuid()}"


@dataclass(frozen=True)
class Machine:
    """Where a process runs: as far as a lock of the operating system surely reaches.

    Attributes:
        host: its name.
        boot: drawn by the kernel when it started; two machines may have one name.
    """

    host: str
    boot: str

    @classmethod
    def here(cls) -> "Machine":
        """This one."""
        try:
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            boot = ""
        return cls(socket.gethostname(), boot)


@dataclass(frozen=True)
class ProcessIdentity:
    """One process, and no other that ever was or will be.

    Where the kernel tells no start times (outside Linux) no recorded process is ever taken for a live one, so that none
    is signalled.

    Attributes:
        machine: where it runs.
        pid: its id there.
        started: when it started, in clock ticks since the machine did; empty if unknown.
    """

    machine: Machine
    pid: int
    started: str

    @classmethod
    def here(cls) -> "ProcessIdentity":
        """This process."""
        return cls.of(os.getpid())

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The process that has this id on this machine now."""
        return cls(Machine.here(), pid, _started(pid))

    @classmethod
    def from_text(cls, text: str) -> "ProcessIdentity | None":
        """What `to_text` gave; None if it is anything else."""
        try:
            stored: Any = json.loads(text)
            machine = Machine(str(stored["machine"]["host"]), str(stored["machine"]["boot"]))
            return cls(machine, int(stored["pid"]), str(stored["started"]))
        except (ValueError, KeyError, TypeError):
            return None

    def to_text(self) -> str:
        """One line for a file."""
        return json.dumps(asdict(self))

    @property
    def is_alive(self) -> bool:
        """Whether it runs on this machine; one that has ended and was not waited for does not."""
        is_known = self.pid > 1 and self.started != "" and self.machine.boot != ""
        return is_known and self.machine == Machine.here() and _started(self.pid) == self.started

    @property
    def is_stopped(self) -> bool:
        """Whether it lives, but was stopped (SIGSTOP, a debugger): it does nothing until somebody lets it go on."""
        return self.is_alive and any(state in _STOPPED for state in _fields(self.pid)[:1])

    @property
    def ticks(self) -> int:
        """Clock ticks of CPU that all its threads have used; 0 if unknown. It grows as long as it does anything."""
        used = _fields(self.pid)[11:13] if self.is_alive else []
        return sum(map(int, used))

    def send(self, number: signal.Signals) -> bool:
        """Send a signal, if it is this very process that would get it; whether it was sent."""
        if not self.is_alive:
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            return self._send_pinned(number)
        return False

    def _send_pinned(self, number: signal.Signals) -> bool:
        """An open handle keeps the id from being given to another process between the look and the signal."""
        try:
            handle = os.pidfd_open(self.pid)
        except (AttributeError, OSError) as error:
            if isinstance(error, ProcessLookupError):
                raise
            os.kill(self.pid, number)  # a kernel without handles
            return True
        try:
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(handle, number)
            return True
        finally:
            os.close(handle)


def _started(pid: int) -> str:
    """Empty if there is no such process, or it has ended."""
    fields = _fields(pid)
    return fields[19] if len(fields) > 19 and fields[0] not in _ENDED else ""


def _fields(pid: int) -> list[str]:
    """What the kernel says of a process, its state first; empty if there is none."""
    try:
        # The name before these fields may hold blanks and brackets.
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
