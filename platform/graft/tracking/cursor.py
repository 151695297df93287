"""How far a reader of the journal has come; survives the reader's death."""

from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.storage import read_json, write_json
from graft.tracking.target import Target


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
