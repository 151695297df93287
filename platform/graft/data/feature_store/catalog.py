"""The directory of a feature store: which features there are, who holds them, and how they go. Reads no features.

``<root>/<digest>/`` are finished features, ``<root>/locks/<digest>.{build,use}`` their locks, ``<root>/.building-…``
what is being built and ``<root>/.gone-…`` what is being deleted. Whoever reads or writes features holds their ``use``
lock (shared), whoever writes them their ``build`` lock as well; its file's time is when they were last used.
"""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError
from graft.core.private_files import open_private
from graft.data.feature_store import locks
from graft.data.feature_store.eviction import GB, VARIABLE, Holding, Usage, cache_limit, choose_victims, free_bytes
from graft.data.feature_store.locks import NotStored, write_errors_are_clear
from graft.data.feature_store.manifest import MANIFEST, Manifest, problem, read_manifest

_BUILDING, _GONE = ".building-", ".gone-"


@dataclass(frozen=True)
class Entry:
    """Features on the disk.

    Attributes:
        holding: name, size, last use.
        manifest: None when it cannot be read.
        problem: why it cannot; None if it can.
    """

    holding: Holding
    manifest: Manifest | None
    problem: str | None


class Catalog:
    """The features of one directory.

    Args:
        root: where they are; made when the first are built.
        limit_bytes: what they may hold; None asks ``GRAFT_CACHE_GB`` each time.
    """

    def __init__(self, root: Path, limit_bytes: int | None = None) -> None:
        self.root = root
        self._limit_bytes = limit_bytes

    def directory(self, digest: str) -> Path:
        """Where the features of a key are when they are finished."""
        return self.root / digest

    def build_lock(self, digest: str) -> Path:
        """Held alone by whoever writes."""
        return self.root / "locks" / f"{digest}.build"

    def use_lock(self, digest: str) -> Path:
        """Held shared by whoever reads or writes."""
        return self.root / "locks" / f"{digest}.use"

    def mark_used(self, digest: str) -> None:
        """Remember now as the time of the last use."""
        # A reader who may not write here must be able to read all the same.
        with contextlib.suppress(OSError):
            os.utime(self.use_lock(digest))

    def entries(self) -> list[Entry]:
        """All that is finished, most recently used first."""
        found = [self._entry(path) for path in self._directories()]
        return sorted(found, key=lambda entry: -entry.holding.last_used)

    def limit(self) -> int:
        """Bytes that all of it may hold.

        Raises:
            SpecError: ``GRAFT_CACHE_GB`` is not a number.
        """
        return self._limit(sum(one.bytes for one in self._holdings()))

    def problems(self, entry: Entry) -> dict[str, str]:
        """What is wrong with an entry, by file; every byte is read."""
        if entry.manifest is None:
            return {MANIFEST: entry.problem or "is missing"}
        directory = self.directory(entry.holding.digest)
        found = {shard.file: problem(directory, shard) for shard in entry.manifest.shards}
        return {file: text for file, text in found.items() if text is not None}

    def remove(self, digest: str) -> bool:
        """Delete features; False if somebody uses them, then they stay."""
        use = locks.try_exclusive(self.use_lock(digest))
        if use is None:
            return False
        with use:
            self.discard(digest)
            build = locks.try_exclusive(self.build_lock(digest))
            if build is not None:
                with build:
                    build.path.unlink(missing_ok=True)
            use.path.unlink(missing_ok=True)
        return True

    def discard(self, digest: str) -> None:
        """Delete features whether they are used or not: who has them mapped goes on reading."""
        gone = self.root / f"{_GONE}{digest}-{secrets.token_hex(4)}"
        with contextlib.suppress(FileNotFoundError):
            self.directory(digest).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def prepare(self) -> None:
        """Make the directory, and prove that it can be written.

        Raises:
            NotStored: it cannot.
        """
        with write_errors_are_clear(self.root):
            self._room_lock().parent.mkdir(parents=True, exist_ok=True)
            os.close(open_private(self._room_lock(), os.O_RDWR))

    def sweep(self, held: str | None = None) -> None:
        """Delete what killed processes left.

        Args:
            held: digest whose build lock the caller holds, if any.
        """
        for path in self._hidden(_GONE):
            shutil.rmtree(path, ignore_errors=True)
        for path in self._hidden(_BUILDING):
            digest, _ = _parse(path)
            lock = None if digest == held else locks.try_exclusive(self.build_lock(digest))
            if digest == held or lock is not None:
                shutil.rmtree(path, ignore_errors=True)
            if lock is not None:
                lock.path.unlink(missing_ok=True)
                lock.close()

    @contextlib.contextmanager
    def new_directory(self, digest: str, need: int) -> Iterator[Path]:
        """Make room for `need` bytes, and yield a directory that becomes the features when the block ends well.

        The caller holds both locks of the digest, and has written everything to the disk.

        Raises:
            NotStored: there is no room for it, or it cannot be written.
        """
        with write_errors_are_clear(self.root):
            scratch = self._reserve(digest, need)
        try:
            yield scratch
            with write_errors_are_clear(self.root):
                _flush(scratch)
                scratch.rename(self.directory(digest))
                _flush(self.root)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def written(self, digest: str) -> int:
        """Bytes that whoever is building this has on the disk."""
        return sum(_size(path) for path in self._hidden(_BUILDING) if _parse(path)[0] == digest)

    def _reserve(self, digest: str, need: int) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        # One at a time, so that two who build different things do not both take the same room.
        with locks.exclusive(self._room_lock()):
            self._make_room(need)
            scratch = self.root / f"{_BUILDING}{digest}-{need}-{secrets.token_hex(4)}"
            scratch.mkdir()
        return scratch

    def _room_lock(self) -> Path:
        return self.root / "locks" / "room"

    def _make_room(self, need: int) -> None:
        while True:
            holdings = self._holdings()
            usage = self._usage(holdings)
            excess = usage.excess(need)
            victims = choose_victims(holdings, excess)
            if victims is None:
                raise NotStored(_no_room(need, usage))
            # The disk is not asked again: a deleted file gives its place back when the last map of it is gone, and
            # Arrow's threads hold one some milliseconds longer than its reader.
            if all([self.remove(digest) for digest in victims]):
                return

    def _usage(self, holdings: list[Holding]) -> Usage:
        building = list(self._hidden(_BUILDING))
        promised = sum(_parse(path)[1] for path in building)
        unwritten = sum(max(_parse(path)[1] - _size(path), 0) for path in building)
        held = sum(one.bytes for one in holdings)
        return Usage(held, promised, unwritten, free_bytes(self.root), self._limit(held))

    def _limit(self, held: int) -> int:
        return cache_limit(self.root, held) if self._limit_bytes is None else self._limit_bytes

    def _holdings(self) -> list[Holding]:
        return [self._holding(path) for path in self._directories()]

    def _holding(self, directory: Path) -> Holding:
        lock = self.use_lock(directory.name)
        return Holding(directory.name, _size(directory), _last_change(lock, directory), locks.is_held(lock))

    def _entry(self, directory: Path) -> Entry:
        holding = self._holding(directory)
        try:
            manifest = read_manifest(directory)
        except ArtifactError as error:
            return Entry(holding, None, str(error))
        return Entry(holding, manifest, None if manifest else f"{directory} has no {MANIFEST}")

    def _directories(self) -> list[Path]:
        return [path for path in self._listing() if len(path.name) == 64 and path.is_dir()]

    def _hidden(self, prefix: str) -> list[Path]:
        return [path for path in self._listing() if path.name.startswith(prefix)]

    def _listing(self) -> list[Path]:
        try:
            return sorted(self.root.iterdir())
        except FileNotFoundError:
            return []


def _parse(building: Path) -> tuple[str, int]:
    """Digest and promised bytes, out of the name of what is being built."""
    digest, need, _ = building.name.removeprefix(_BUILDING).split("-")
    return digest, int(need)


def _size(directory: Path) -> int:
    total = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError):  # others delete while we look
                total += file.stat().st_size
    return total


def _last_change(*paths: Path) -> float:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_mtime
    return 0.0


def _flush(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_room(need: int, usage: Usage) -> str:
    if need > usage.limit or usage.held + usage.promised + need > usage.limit:
        rule = f"the cache may hold {usage.limit / GB:.2f} GB, {(usage.held + usage.promised) / GB:.2f} of them taken"
        return f"features need {need / GB:.2f} GB, but {rule}; raise {VARIABLE}, or free some with `graft cache rm`"
    return f"features need {need / GB:.2f} GB, but the disk has {usage.free / GB:.2f} GB free; free some"
