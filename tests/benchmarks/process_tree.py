"""What this process and all that it has started take: CPU seconds, and memory of their own and shared."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

HOUSEKEEPING = ("gcs_server", "agent", "monitor")
"""Parts of the names of Ray's processes that go on whether anything is computed or not."""


def cpu_seconds() -> float:
    """Of all processes that compute and are alive, and of those that this one has waited for."""
    times = os.times()
    here = psutil.Process()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in here.children(recursive=True):
        try:
            words = " ".join(child.cmdline()[:3])
            if any(name in words for name in HOUSEKEEPING):
                continue
            spent = child.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        seconds += spent.user + spent.system
    return seconds


@dataclass
class Peak:
    """The most memory at any moment, in bytes.

    Attributes:
        private: anonymous memory of all processes together.
        shared: in shared memory: Ray's object store.
        here: anonymous memory of this process alone.
    """

    private: int = 0
    shared: int = 0
    here: int = 0

    def see(self) -> None:
        """Look now."""
        private, shared = 0, 0
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            anonymous, segments = _resident(process.pid)
            private += anonymous
            shared = max(shared, segments)  # the same segments are in every process that has mapped them
            if process.pid == os.getpid():
                self.here = max(self.here, anonymous)
        self.private, self.shared = max(self.private, private), max(self.shared, shared)


@contextmanager
def peak_memory(every: float = 0.2) -> Iterator[Peak]:
    """Measure while the block runs."""
    peak, is_over = Peak(), threading.Event()

    def watch() -> None:
        while not is_over.wait(every):
            peak.see()

    peak.see()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        is_over.set()
        thread.join()
        peak.see()


def _resident(pid: int) -> tuple[int, int]:
    """Bytes of anonymous and of shared memory."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has just ended
        return 0, 0
    found = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss")}
    return found.get("RssAnon", 0), found.get("RssShmem", 0)
