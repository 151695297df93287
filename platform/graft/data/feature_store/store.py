"""The feature store: what a frozen prefix computes, computed once, kept on disk, and read by everybody who needs it."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from graft.core.errors import ArtifactError
from graft.data.feature_store import locks
from graft.data.feature_store.catalog import Catalog
from graft.data.feature_store.features import Features, Produce, Work
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import Lock, NotStored, write_errors_are_clear
from graft.data.feature_store.manifest import Manifest, Shard, damaged_shards, read_manifest
from graft.data.feature_store.remote import Remote
from graft.data.feature_store.shards import map_shard
from graft.data.feature_store.writer import SHARD_BYTES, Layout, OnRows, write_shards

_LOG = logging.getLogger(__name__)

OnWait = Callable[[float, float], None]
"""Told how many seconds the wait for another builder has lasted, and the share (0..1) of the bytes it has written."""


def _silent(*_: float) -> None:
    return None


@dataclass(frozen=True)
class Watch:
    """Who is told how building goes on; what they raise ends it.

    Attributes:
        on_rows: told after every chunk how many rows of how many were computed.
        on_wait: told, again and again, about the wait for another builder.
    """

    on_rows: OnRows = _silent
    on_wait: OnWait = _silent


UNWATCHED = Watch()


class FeatureStore:
    """Features by their key, each computed once on a node; with a remote, once for all nodes.

    Any number of threads, processes and experiments may use one directory at once. The object is cheap and can be
    pickled; features cannot: the other side opens them itself.

    Args:
        root: directory on this node (`Home.features`), made when needed.
        limit_bytes: what it may hold, least recently used out first, never what is in use; None takes
            ``GRAFT_CACHE_GB`` (GB of 10^9 bytes), else a quarter of what is free on the disk or held by the store.
        remote: where nodes share what they have computed, which is not bounded; None takes the home, if it is a store.
        shard_bytes: most bytes of one file; building holds so much in memory.
    """

    def __init__(
        self,
        root: Path,
        limit_bytes: int | None = None,
        remote: Remote | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> None:
        self.catalog = Catalog(root, limit_bytes)
        self._remote = remote or Remote.of(root)
        self._shard_bytes = shard_bytes

    def open(self, key: FeatureKey) -> Features | None:
        """The features of a key, checked: every byte on the first use in a process or after a change.

        Returns:
            None if they are neither here nor at the remote, are damaged, or are just being built; `build` deals with
            all of that.

        Raises:
            NotStored: they are at the remote, but there is no room for them here; or the disk lets nobody mark them as
                used.
        """
        if not self.catalog.directory(key.digest()).exists():
            return self._open_remote(key)
        with write_errors_are_clear(self.catalog.root):
            use = locks.shared(self.catalog.use_lock(key.digest()))
        return self._opened(key, use, Work()) or self._open_remote(key)

    def build(
        self, key: FeatureKey, shape: tuple[int, ...], rows: int, produce: Produce, watch: Watch = UNWATCHED
    ) -> Features:
        """The features of a key, computed if they are not there.

        Of several who ask for the same, one computes; the others wait and get what it made, and if it dies, the next
        goes on in its place. Damaged shards are computed again, only those. A process killed in the middle leaves
        nothing that could be taken for features, and what it leaves is deleted by the next.

        Args:
            key: what they are a function of.
            shape: of one row.
            rows: how many.
            produce: computes them.
            watch: who is told how it goes on.

        Raises:
            NotStored: there is no room for them (the disk is full, or ``GRAFT_CACHE_GB`` too small): nothing is left
                behind, and the work can go on without stored features. It is a `ResourceError`.
            SpecError: a feature is too large for the key's dtype.
            ValueError: what was produced, or what is stored under this key, has another shape or number of rows.
        """
        layout = Layout.of(shape, rows, key.dtype, self._shard_bytes)
        if (found := self.open(key)) is not None:
            return _checked(found, layout)
        digest, began = key.digest(), time.monotonic()

        def waiting(seconds: float) -> None:
            watch.on_wait(seconds, min(self.catalog.written(digest) / max(layout.bytes, 1), 1.0))

        self.catalog.prepare()
        with locks.exclusive(self.catalog.build_lock(digest), waiting):
            waited = time.monotonic() - began
            self.catalog.sweep(held=digest)
            use = locks.shared(self.catalog.use_lock(digest))
            try:
                work = self._fill(key, layout, produce, watch.on_rows)
            except BaseException:
                use.close()
                raise
            found = self._opened(key, use, replace(work, waited=waited))
        if found is None:
            place = self.catalog.directory(digest)
            raise NotStored(f"features in {place} were deleted or changed just after they were written")
        return _checked(found, layout)

    def _opened(self, key: FeatureKey, use: Lock, work: Work) -> Features | None:
        """Open what is here; lets the lock go if that is nothing whole."""
        digest = key.digest()
        directory = self.catalog.directory(digest)
        try:
            manifest = _manifest(directory, key)
            if manifest is not None and not damaged_shards(directory, manifest):
                arrays = [map_shard(directory / shard.file, manifest.shape, key.dtype) for shard in manifest.shards]
                self.catalog.mark_used(digest)
                return Features(manifest, arrays, use, work)
        except FileNotFoundError:
            pass  # deleted or repaired while we looked
        except BaseException:
            use.close()
            raise
        use.close()
        return None

    def _open_remote(self, key: FeatureKey) -> Features | None:
        digest = key.digest()
        if self._remote is None or self._remote.find(key) is None:
            return None
        lock = locks.try_exclusive(self.catalog.build_lock(digest))
        if lock is None:
            return None
        with lock:
            use = locks.shared(self.catalog.use_lock(digest))
            try:
                work = self._fetch(key)
            except BaseException:
                use.close()
                raise
            if work is None:
                use.close()
                return None
            return self._opened(key, use, work)

    def _fill(self, key: FeatureKey, layout: Layout, produce: Produce, on_rows: OnRows) -> Work:
        """Have whole features in the directory; the caller holds both locks."""
        directory = self.catalog.directory(key.digest())
        manifest = _manifest(directory, key)
        if manifest is not None:
            _require_same(manifest, layout)
            damaged = damaged_shards(directory, manifest)
            return self._repair(manifest, damaged, produce, on_rows) if damaged else Work()
        return self._fetch(key) or self._write(key, layout, produce, on_rows)

    def _write(self, key: FeatureKey, layout: Layout, produce: Produce, on_rows: OnRows) -> Work:
        digest, began = key.digest(), time.monotonic()
        self.catalog.discard(digest)
        with self.catalog.new_directory(digest, layout.bytes) as scratch:
            with _chunks(produce, 0, layout.rows) as chunks:
                shards = tuple(write_shards(scratch, layout, chunks, (0, layout.rows), on_rows))
            manifest = Manifest(key, layout.shape, layout.rows, layout.shard_rows, shards)
            with write_errors_are_clear(scratch):
                manifest.write(scratch)
        seconds = time.monotonic() - began
        unshared = self._remote.offer(manifest, self.catalog.directory(digest)) if self._remote is not None else None
        return Work("built", layout.rows, manifest.bytes, seconds, unshared=unshared)

    def _repair(self, manifest: Manifest, damaged: tuple[Shard, ...], produce: Produce, on_rows: OnRows) -> Work:
        """Compute only the rows of damaged shards; whoever has the old files mapped keeps them."""
        began = time.monotonic()
        directory = self.catalog.directory(manifest.key.digest())
        layout = Layout(manifest.shape, manifest.rows, manifest.key.dtype, manifest.shard_rows)
        fresh: dict[int, Shard] = {}
        for shard in damaged:
            with _chunks(produce, shard.start, shard.stop) as chunks:
                for one in write_shards(directory, layout, chunks, (shard.start, shard.stop), on_rows):
                    fresh[one.start] = one
        whole = replace(manifest, shards=tuple(fresh.get(shard.start, shard) for shard in manifest.shards))
        with write_errors_are_clear(directory):
            whole.write(directory)
        for file in {path.name for path in directory.glob("*.arrow")} - {shard.file for shard in whole.shards}:
            (directory / file).unlink(missing_ok=True)
        rows = sum(shard.stop - shard.start for shard in damaged)
        size = sum(shard.bytes for shard in fresh.values())
        return Work("repaired", rows, size, time.monotonic() - began)

    def _fetch(self, key: FeatureKey) -> Work | None:
        """Copy the features from the remote; None if they are not there, or damaged there."""
        manifest = self._remote.find(key) if self._remote is not None else None
        if self._remote is None or manifest is None:
            return None
        digest, began = key.digest(), time.monotonic()
        self.catalog.discard(digest)
        try:
            with self.catalog.new_directory(digest, manifest.bytes) as scratch:
                self._remote.fetch(manifest, scratch)
        except (ArtifactError, OSError) as error:
            _LOG.warning("shared features cannot be used, they will be computed here: %s", error)
            return None
        return Work("fetched", bytes=manifest.bytes, seconds=time.monotonic() - began)


def _manifest(directory: Path, key: FeatureKey) -> Manifest | None:
    """The manifest of a key's features; None if it is missing, damaged, or of another key."""
    try:
        manifest = read_manifest(directory)
    except ArtifactError as error:
        _LOG.warning("%s", error)
        return None
    return manifest if manifest is not None and manifest.key == key else None


@contextlib.contextmanager
def _chunks(produce: Produce, start: int, stop: int) -> Iterator[Iterable[np.ndarray]]:
    """What is produced; whatever works for it is stopped at once when the writing fails."""
    chunks = produce(start, stop)
    try:
        yield chunks
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _checked(features: Features, layout: Layout) -> Features:
    try:
        _require_same(features.manifest, layout)
    except ValueError:
        features.close()
        raise
    return features


def _require_same(manifest: Manifest, layout: Layout) -> None:
    if (manifest.shape, manifest.rows) != (layout.shape, layout.rows):
        raise ValueError(
            f"features of {layout.rows} rows {layout.shape} are asked for, but {manifest.rows} rows {manifest.shape} "
            "are stored under the same key; a key must tell them apart"
        )
