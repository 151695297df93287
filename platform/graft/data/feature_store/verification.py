"""Is a shard what its manifest says? Read in full the first time a process asks, and again when it has changed."""

import functools
from pathlib import Path

from graft.core.storage import file_digest
from graft.data.feature_store.manifest import Manifest, Shard

_REMEMBERED = 65_536


def damaged_shards(directory: Path, manifest: Manifest) -> tuple[Shard, ...]:
    """The shards that are missing, or whose content is not what was written."""
    return tuple(shard for shard in manifest.shards if problem(directory, shard) is not None)


def problem(directory: Path, shard: Shard) -> str | None:
    """What is wrong with a shard, as the end of a sentence about it; None if nothing is."""
    path = directory / shard.file
    try:
        found = path.stat()
        if found.st_size != shard.bytes:
            return f"has {found.st_size} bytes instead of {shard.bytes}"
        digest = _digest(path, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if digest == shard.sha256 else "has changed since it was written"


@functools.lru_cache(maxsize=_REMEMBERED)
def _digest(path: Path, device: int, inode: int, mtime_ns: int, size: int) -> str:
    """sha256 of the file that has this identity; the identity is there to be part of what is remembered."""
    return file_digest(path)
