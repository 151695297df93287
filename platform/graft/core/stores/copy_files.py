"""What is known of each file of a copy: its tag in the store, and how it was here when the two were alike.

It stands in ``.tags/`` below the root of the copy, a small file for each, whose time is when the file was last asked
for.
"""

import contextlib
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Known:
    """A file as it was when copy and store were alike: its tag there, its size and time (ns) here."""

    tag: str
    size: int
    modified: int

    @classmethod
    def of(cls, tag: str, found: os.stat_result) -> "Known":
        """What is known of a file that has just been sent or fetched."""
        return cls(tag, found.st_size, found.st_mtime_ns)


@dataclass(frozen=True)
class KnownFiles:
    """Of a copy.

    Attributes:
        root: of the copy.
    """

    root: Path

    def get(self, path: Path) -> Known | None:
        """What is known of a file."""
        try:
            return Known(**json.loads(self._file(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def put(self, path: Path, known: Known) -> None:
        """Remember it."""
        file = self._file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        scratch.write_text(json.dumps(asdict(known)), encoding="utf-8")
        os.replace(scratch, file)

    def forget(self, path: Path) -> None:
        """Know nothing of it any more."""
        self._file(path).unlink(missing_ok=True)

    def is_alike(self, path: Path) -> bool:
        """Whether a file is as it was when the store had the same."""
        known = self.get(path)
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            return known is not None and (known.size, known.modified) == (found.st_size, found.st_mtime_ns)
        return False

    def mark_used(self, path: Path) -> None:
        """Remember now as the time when a file was last asked for."""
        with contextlib.suppress(OSError):
            os.utime(self._file(path))

    def used(self, path: Path) -> float:
        """When a file was last asked for, in seconds since 1970."""
        return self._file(path).stat().st_mtime

    def _file(self, path: Path) -> Path:
        return self.root / ".tags" / f"{path.relative_to(self.root).as_posix()}.json"
