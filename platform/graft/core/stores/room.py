"""What a node's copy of a home lets go when the disk fills: what the store has, least recently used first.

Whoever has a file mapped goes on reading it, and whoever asks for it again gets it from the store. What was asked for
within the last hour stays, and so does all that is not in the store as it is here. Features have a limit of their own.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import SpecError
from graft.core.stores.copy_files import KnownFiles

LIMIT = "GRAFT_COPIES_GB"
"""Environment variable: what a copy may hold, in GB of 10^9 bytes; else it leaves a tenth of the disk free."""

IN_USE_S = 3600.0
_LOOK_S = 60.0
_FREE_SHARE = 0.1
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Held:
    """Something that goes as a whole.

    Attributes:
        files: of it; the first one says that it is there.
        bytes: of all.
        used: when it was asked for last.
    """

    files: tuple[Path, ...]
    bytes: int
    used: float


def make_room(root: Path, now: float | None = None) -> list[Path]:
    """Delete what has fallen out of use, if there is too much; what was deleted. Looks once a minute at most.

    Raises:
        SpecError: the limit in the environment is no number.
    """
    now = time.time() if now is None else now
    stamp = root / ".locks" / "room"
    if stamp.exists() and 0 <= now - stamp.stat().st_mtime < _LOOK_S:
        return []
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    os.utime(stamp, (now, now))
    held = sorted(_held(root), key=lambda one: one.used)
    over = _over(root, sum(one.bytes for one in held))
    gone: list[Path] = []
    for one in held:
        if over <= 0 or now - one.used < IN_USE_S:
            break
        for file in one.files:
            file.unlink(missing_ok=True)
        gone += one.files
        over -= one.bytes
    return gone


def _over(root: Path, held: int) -> float:
    named = os.environ.get(LIMIT)
    if named:
        try:
            return held - float(named) * 1e9
        except ValueError:
            raise SpecError(f"{LIMIT} is `{named}`, but must be a number of GB; correct it") from None
    disk = shutil.disk_usage(root)
    return disk.total * _FREE_SHARE - disk.free


def _held(root: Path) -> Iterator[Held]:
    known = KnownFiles(root)
    for manifest in root.glob(f"cache/datasets/*/{_MANIFEST}"):
        files = (manifest, *(path for path in manifest.parent.iterdir() if path != manifest))
        yield from _whole(known, files)
    for weights in root.glob("experiments/*/checkpoints/*/*.safetensors"):
        yield from _whole(known, (weights,))


def _whole(known: KnownFiles, files: tuple[Path, ...]) -> Iterator[Held]:
    if all(known.is_alike(path) for path in files):
        yield Held(files, sum(path.stat().st_size for path in files), known.used(files[0]))
