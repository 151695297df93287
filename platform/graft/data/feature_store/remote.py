"""A feature store that nodes share, on any file system that pyarrow or fsspec knows; each node reads its own copy."""

import contextlib
import hashlib
import json
import logging
import os
import posixpath
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.fs as pafs

from graft.core.errors import ArtifactError, SpecError
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import write_errors_are_clear
from graft.data.feature_store.manifest import MANIFEST, Manifest, Shard

_LOG = logging.getLogger(__name__)
_CHUNK = 4 * 1024**2


class Remote:
    """Finished features under one path of a file system.

    Args:
        filesystem: where.
        path: the directory of all features there.
    """

    def __init__(self, filesystem: pafs.FileSystem, path: str) -> None:
        self._filesystem = filesystem
        self._path = path

    @classmethod
    def parse(cls, uri: str) -> "Remote":
        """The store at a URI, such as ``s3://bucket/features`` (pyarrow) or ``memory://features`` (fsspec).

        Raises:
            SpecError: neither of them knows it.
        """
        try:
            return cls(*pafs.FileSystem.from_uri(uri))
        except pa.ArrowInvalid:
            pass  # not one of pyarrow's own
        try:
            import fsspec  # type: ignore[import-untyped]

            filesystem, path = fsspec.core.url_to_fs(uri)
        except (ImportError, ValueError) as error:
            raise SpecError(f"`{uri}` is no place for features ({error}); name a directory or a URI") from error
        return cls(pafs.PyFileSystem(pafs.FSSpecHandler(filesystem)), path)

    def find(self, key: FeatureKey) -> Manifest | None:
        """What is there under this key; None if there is nothing whole, or the file system cannot be reached."""
        try:
            manifest = self._manifest(key.digest())
        except OSError as error:
            _LOG.warning("the shared feature store cannot be reached: %s", error)
            return None
        return manifest if manifest is not None and manifest.key == key else None

    def offer(self, manifest: Manifest, directory: Path) -> str | None:
        """Copy finished features there, the manifest last: who finds it finds everything it names.

        Returns:
            Why that failed; None if it did not. The features here are good all the same.
        """
        try:
            self._publish(manifest, manifest.key.digest(), directory)
        except OSError as error:
            _LOG.warning("features are not shared with other nodes: %s", error)
            return str(error)
        return None

    def fetch(self, manifest: Manifest, directory: Path) -> None:
        """Copy the files of a manifest into a directory, and the manifest last.

        Raises:
            ArtifactError: a file is missing there or has changed.
            NotStored: the disk is full.
            OSError: the file system cannot be reached.
        """
        for shard in manifest.shards:
            self._fetch_shard(shard, manifest.key.digest(), directory)
        with write_errors_are_clear(directory):
            manifest.write(directory)

    def _manifest(self, digest: str) -> Manifest | None:
        path = self._at(digest, MANIFEST)
        if self._filesystem.get_file_info(path).type != pafs.FileType.File:
            return None
        with self._filesystem.open_input_stream(path) as stream:
            text = stream.read()
        try:
            return Manifest.from_json(json.loads(text))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return None  # damaged: whoever builds the features writes it anew

    def _publish(self, manifest: Manifest, digest: str, directory: Path) -> None:
        self._filesystem.create_dir(self._at(digest), recursive=True)
        for shard in manifest.shards:
            with (directory / shard.file).open("rb") as source, self._replacing(self._at(digest, shard.file)) as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
        with self._replacing(self._at(digest, MANIFEST)) as target:
            target.write(json.dumps(manifest.to_json(), indent=2, sort_keys=True).encode())

    def _fetch_shard(self, shard: Shard, digest: str, directory: Path) -> None:
        found, path = hashlib.sha256(), directory / shard.file
        try:
            source = self._filesystem.open_input_stream(self._at(digest, shard.file))
        except FileNotFoundError:
            raise ArtifactError(f"shared features {self._at(digest)} lack {shard.file}; build them again") from None
        with source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                found.update(chunk)
                with write_errors_are_clear(directory):
                    target.write(chunk)
            with write_errors_are_clear(directory):
                _to_disk(target)
        if found.hexdigest() != shard.sha256:
            place = self._at(digest, shard.file)
            raise ArtifactError(f"{place} has changed since it was written; its features will be computed again")

    @contextlib.contextmanager
    def _replacing(self, path: str) -> Iterator[pa.NativeFile]:
        """A file under another name, moved to its own at the end: on some file systems readers would see a part."""
        scratch = f"{path}.{secrets.token_hex(4)}"
        try:
            with self._filesystem.open_output_stream(scratch) as stream:
                yield stream
            self._filesystem.move(scratch, path)
        except BaseException:
            with contextlib.suppress(OSError):
                self._filesystem.delete_file(scratch)
            raise

    def _at(self, *names: str) -> str:
        return posixpath.join(self._path, *names)


def _to_disk(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())
