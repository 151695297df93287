"""A process that trains shows that it is alive, and that it gets on; somebody else looks (`workers/hang_watch.py`).

A thread shows a few words every few seconds: it falls silent when the process is stopped, or its machine is. Among the
words is the number of steps: it stands still when the work is stuck (a deadlock, a device that does not answer), though
the thread goes on.
"""

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from graft.core.private_files import read_regular
from graft.core.process_identity import ProcessIdentity

T = TypeVar("T")


class Watch(Protocol):
    """``watch(batches)``: hands the batches on; each of them is a step that somebody who looks sees taken."""

    def __call__(self, batches: Iterable[T], /) -> Iterable[T]: ...


def unwatched(batches: Iterable[T]) -> Iterable[T]:
    """The batches, where nobody looks."""
    return batches


PERIOD_S = 5.0


@dataclass(frozen=True)
class Heartbeat:
    """What a process shows of itself.

    Attributes:
        process: which one.
        trial: what it works on.
        beats: how often it has shown itself.
        steps: how many it has taken.
        longest_step: seconds that the longest of them took.
        is_working: whether steps are to be expected: while it trains, validates or computes features, not while it
            waits for what the search says.
        is_starting: whether it prepares its first step: reads weights, finds the other ranks, waits for features that
            another process computes.
    """

    process: ProcessIdentity
    trial: str
    beats: int
    steps: int
    longest_step: float
    is_working: bool
    is_starting: bool = False

    @classmethod
    def of(cls, text: str) -> "Heartbeat | None":
        """What a file holds; None if it is half written, or of something else."""
        try:
            stored: dict[str, Any] = json.loads(text)
            process = ProcessIdentity.from_text(stored.pop("process"))
            return None if process is None else cls(process, **stored)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Board(Protocol):
    """Where heartbeats are shown; can be pickled into any process that trains. Whatever fails costs a heartbeat."""

    def show(self, name: str, text: str) -> None:
        """Show it in the place of what was shown by that name."""

    def take_down(self, name: str) -> None:
        """Show it no more."""


@dataclass(frozen=True)
class FolderBoard:
    """A directory that all who train can write."""

    directory: Path

    def show(self, name: str, text: str) -> None:
        with contextlib.suppress(OSError):
            (self.directory / name).write_text(text, encoding="utf-8")

    def take_down(self, name: str) -> None:
        forget(self.directory, name)


class Pulse:
    """Shows the heartbeats of one piece of work, until it is closed.

    Args:
        board: where; None shows nothing.
        trial: what is worked on.
    """

    def __init__(self, board: Board | None, trial: str) -> None:
        self._board, self._name = board, f"{trial}-{secrets.token_hex(4)}.json"
        self._process, self.trial = ProcessIdentity.here(), trial
        self._beats = self._steps = 0
        self._longest = 0.0
        self._last: float | None = None
        self._is_working = self._is_starting = False
        self._done = threading.Event()
        if board is not None:
            self.beat()
            threading.Thread(target=self._keep, name="graft-heartbeat", daemon=True).start()

    def over(self, batches: Iterable[T]) -> Iterator[T]:
        """Some batches: while they are worked on, each is a step; after the last, none is expected."""
        self._is_working = True
        last = time.monotonic()
        try:
            for batch in batches:
                yield batch
                now = time.monotonic()
                self._longest, last = max(self._longest, now - last), now
                self._steps += 1
        finally:
            self._is_working = False

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """While the block runs, the first step is prepared; what is watched meanwhile counts as steps."""
        self._is_starting = True
        try:
            yield
        finally:
            self._is_starting = False

    def beat(self) -> None:
        """Show what is so now."""
        if self._board is None:
            return
        self._beats += 1
        now = self._is_working, self._is_starting
        shown = Heartbeat(self._process, self.trial, self._beats, self._steps, self._longest, *now)
        self._board.show(self._name, json.dumps({**asdict(shown), "process": self._process.to_text()}))

    def close(self) -> None:
        """Show nothing any more."""
        self._done.set()
        if self._board is not None:
            self._board.take_down(self._name)

    def __enter__(self) -> "Pulse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _keep(self) -> None:
        while not self._done.wait(PERIOD_S):
            self.beat()
        if self._board is not None:  # a beat may have been under way while it was closed
            self._board.take_down(self._name)


def read_heartbeats(directory: Path) -> Iterator[tuple[str, Heartbeat]]:
    """All that are shown, by the names of their files."""
    for file in sorted(directory.glob("*.json")):
        with contextlib.suppress(OSError):
            found = Heartbeat.of(read_regular(file).decode(errors="replace"))
            if found is not None:
                yield file.name, found


def forget(directory: Path, name: str) -> None:
    """Delete what a process has shown that is no more."""
    with contextlib.suppress(OSError):
        os.unlink(directory / name)
