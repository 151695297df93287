"""The files of a relay, in ``tracking/`` below the experiment's directory: the state it shows, how far it has come."""

import contextlib
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.storage import read_json, write_json
from graft.journal.journal import journal_path, read
from graft.tracking.target import Target

HUNG_S = 300.0
"""A loop that has not turned for so long hangs: a nap lasts 39 s at most, an answer of a server 10 s."""


class RelayState(Enum):
    """What a relay does: the name as stored, whether the process has ended."""

    STARTING = ("starting", False)
    FOLLOWING = ("following", False)
    WAITING = ("waiting", False)
    DONE = ("done", True)
    UNSYNCED = ("unsynced", True)
    FAILED = ("failed", True)

    def __init__(self, label: str, is_terminal: bool) -> None:
        self.label = label
        self.is_terminal = is_terminal


@dataclass(frozen=True)
class RelayStatus:
    """How far a relay is.

    Attributes:
        state: what it does; WAITING and UNSYNCED mean that the store does not answer, FAILED that it never will.
        message: one line for the user; empty while all is well.
        offset: bytes of the journal that are in the store.
        refused: operations that the store has refused for good; they are listed in ``refused.jsonl``.
    """

    state: RelayState
    message: str = ""
    offset: int = 0
    refused: int = 0


@dataclass(frozen=True)
class RelayFiles:
    """Where a relay keeps what it has to remember."""

    experiment_dir: Path

    @property
    def directory(self) -> Path:
        return self.experiment_dir / "tracking"

    @property
    def cursor(self) -> Path:
        return self.directory / "cursor.json"

    @property
    def status(self) -> Path:
        return self.directory / "relay.json"

    @property
    def turn(self) -> Path:
        """Touched at each turn of the relay's loop, and after each operation."""
        return self.directory / "relay.turn"

    @property
    def log(self) -> Path:
        return self.directory / "relay.log"

    @property
    def lock(self) -> Path:
        return self.directory / "relay.lock"

    @property
    def runs_lock(self) -> Path:
        return self.directory / "runs.lock"

    @property
    def refused(self) -> Path:
        return self.directory / "refused.jsonl"

    def behind(self, journal: Path) -> int:
        """How many records of the journal have not arrived yet."""
        offset = self.read_status().offset
        return sum(end > offset for end, _ in read(journal))

    def lag(self, now: float) -> float:
        """Age in seconds of the oldest record that has not arrived yet; 0 if all have."""
        oldest = next(read(journal_path(self.experiment_dir), self.read_status().offset), None)
        return 0.0 if oldest is None else max(0.0, now - oldest[1].time)

    def show_turn(self) -> None:
        """Show that the loop goes on; a full disk must not end it."""
        with contextlib.suppress(OSError):
            self.turn.touch()

    def last_turn(self) -> float:
        """When the loop showed last that it goes on, in seconds since the epoch; 0 if it never did."""
        try:
            return self.turn.stat().st_mtime
        except OSError:
            return 0.0

    def is_hung(self, now: float) -> bool:
        """Whether the loop of a relay that is at work has stood still for `HUNG_S`, `now` seconds since the epoch."""
        return 0 < self.last_turn() < now - HUNG_S

    def write_status(self, status: RelayStatus) -> None:
        """Show the state to whoever looks."""
        write_json(self.status, {**asdict(status), "version": 1, "state": status.state.label})

    def read_status(self) -> RelayStatus:
        """The state last shown; STARTING if none was."""
        try:
            stored = read_json(self.status)
            state = next(state for state in RelayState if state.label == stored["state"])
            return RelayStatus(state, str(stored["message"]), int(stored["offset"]), int(stored["refused"]))
        except (ArtifactError, KeyError, TypeError, ValueError, StopIteration):
            return RelayStatus(RelayState.STARTING)


class Cursor:
    """The byte offset in the journal up to which everything has been shipped to one target.

    Moved only after the store has acknowledged, so a crash repeats a little and loses nothing.

    Args:
        path: the file that keeps it.
        target: another target than the file's means that nothing has been shipped there.
    """

    def __init__(self, path: Path, target: Target) -> None:
        self._path = path
        self._target = target.digest()
        self.offset = self._load()

    def move(self, offset: int) -> None:
        """Everything before `offset` is in the store."""
        write_json(self._path, {"version": 1, "target": self._target, "offset": offset})
        self.offset = offset

    def _load(self) -> int:
        if not self._path.exists():
            return 0
        try:
            stored = read_json(self._path)
            return int(stored["offset"]) if stored["target"] == self._target else 0
        except (ArtifactError, KeyError, TypeError, ValueError):
            # Shipping twice is harmless, so a damaged cursor costs time only.
            return 0
