"""What a finished directory of features says of itself; it is written last, so its presence means that all is there.

`problem` holds a shard against it: read in full the first time a process asks, and again when the file has changed.
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError
from graft.core.passing_errors import machine_errors
from graft.core.storage import canonical_json, file_digest, read_json, text_digest, write_json
from graft.data.feature_store.key import FORMAT, FeatureKey

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Shard:
    """One file of consecutive rows.

    Attributes:
        file: its name in the directory.
        start: its first row.
        stop: one past its last row.
        bytes: size of the file.
        sha256: of the file, in hex.
    """

    file: str
    start: int
    stop: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """All there is to know of a directory of features.

    Attributes:
        key: what they are a function of.
        shape: of one row.
        rows: how many.
        shard_rows: rows of every shard but the last, which may have fewer.
        shards: in the order of the rows.
    """

    key: FeatureKey
    shape: tuple[int, ...]
    rows: int
    shard_rows: int
    shards: tuple[Shard, ...]

    @property
    def bytes(self) -> int:
        """Size of all shards."""
        return sum(shard.bytes for shard in self.shards)

    def write(self, directory: Path) -> None:
        """Write it, whole or not at all.

        Raises:
            ResourceError: the disk is full.
        """
        write_json(directory / MANIFEST, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Plain values, with a digest of themselves."""
        body = {"format": FORMAT, **asdict(self), "shape": list(self.shape)}
        body["shards"] = [asdict(shard) for shard in self.shards]
        return {**body, "sha256": text_digest(canonical_json(body))}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Manifest":
        """The manifest that `to_json` wrote.

        Raises:
            ValueError: it was changed since, or does not fit together.
            KeyError, TypeError: something is missing or of another type.
        """
        body = {name: inner for name, inner in value.items() if name != "sha256"}
        if value["sha256"] != text_digest(canonical_json(body)):
            raise ValueError("its digest is not that of its content")
        if value["format"] != FORMAT:
            raise ValueError(f"its format is {value['format']}, but this graft reads {FORMAT}")
        manifest = cls(
            key=FeatureKey.from_json(value["key"]),
            shape=tuple(value["shape"]),
            rows=value["rows"],
            shard_rows=value["shard_rows"],
            shards=tuple(Shard(**shard) for shard in value["shards"]),
        )
        if [(one.start, one.stop) for one in manifest.shards] != bounds(manifest.rows, manifest.shard_rows):
            raise ValueError(f"its shards do not cover its {manifest.rows} rows")
        return manifest


def bounds(rows: int, shard_rows: int) -> list[tuple[int, int]]:
    """First and last-plus-one row of each shard."""
    return [(start, min(start + shard_rows, rows)) for start in range(0, rows, shard_rows)]


def read_manifest(directory: Path) -> Manifest | None:
    """The manifest of a directory; None if there is none, because nothing was finished there.

    Raises:
        ArtifactError: it is there, but damaged.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    value = read_json(path)
    try:
        return Manifest.from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}); its features will be computed again") from error


_REMEMBERED = 65_536


def damaged_shards(directory: Path, manifest: Manifest) -> tuple[Shard, ...]:
    """The shards that are missing, or whose content is not what was written."""
    return tuple(shard for shard in manifest.shards if problem(directory, shard) is not None)


def problem(directory: Path, shard: Shard) -> str | None:
    """What is wrong with a shard, as the end of a sentence about it; None if nothing is.

    Raises:
        ResourceError: it cannot be read at the moment, which says nothing of it.
    """
    path = directory / shard.file
    try:
        with machine_errors(path, is_ours=True):
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
