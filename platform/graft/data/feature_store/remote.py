"""Features of a home in a store: what one node has computed, the others copy; each node reads its own copy."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import ArtifactError, GraftError
from graft.core.storage import file_digest
from graft.core.stores.address import HomeAddress
from graft.core.stores.copy import Copy
from graft.core.stores.storage import Storage, StorageError
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.locks import write_errors_are_clear
from graft.data.feature_store.manifest import MANIFEST, Manifest, Shard

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remote:
    """Finished features in a home. A store that is away is not waited for: features can be computed again.

    Attributes:
        address: of the home.
        prefix: of all features there.
    """

    address: HomeAddress
    prefix: str

    @classmethod
    def of(cls, root: Path) -> "Remote | None":
        """Of the home that a directory of features belongs to; None if that is a directory itself."""
        copy = Copy.of(root)
        return None if copy is None else cls(copy.address, copy.key(root))

    def find(self, key: FeatureKey) -> Manifest | None:
        """What is there under this key; None if there is nothing whole, or the store does not answer."""
        try:
            found = self._storage.read(self._at(key.digest(), MANIFEST))
        except (StorageError, GraftError) as error:
            _LOG.warning("%s cannot be asked for features: %s", self.address, error)
            return None
        manifest = _parsed(found[0]) if found else None
        return manifest if manifest is not None and manifest.key == key else None

    def offer(self, manifest: Manifest, directory: Path) -> str | None:
        """Copy finished features there, the manifest last: who finds it finds everything it names.

        Returns:
            Why that failed; None if it did not. The features here are good all the same.
        """
        digest = manifest.key.digest()
        try:
            for shard in manifest.shards:
                self._storage.upload(self._at(digest, shard.file), directory / shard.file, shard.sha256)
            file = directory / MANIFEST
            self._storage.upload(self._at(digest, MANIFEST), file, file_digest(file))
        except (StorageError, GraftError, OSError) as error:
            _LOG.warning("features are not shared with other nodes: %s", error)
            return str(error)
        return None

    def fetch(self, manifest: Manifest, directory: Path) -> None:
        """Copy the files of a manifest into a directory, and the manifest last.

        Raises:
            ArtifactError: a file is missing there or has changed, or the store does not answer.
            NotStored: the disk is full.
        """
        try:
            for shard in manifest.shards:
                self._fetch_shard(shard, manifest.key.digest(), directory)
        except StorageError as error:
            raise ArtifactError(f"features in {self.address} cannot be read ({error}); build them again") from error
        with write_errors_are_clear(directory):
            manifest.write(directory)

    def _fetch_shard(self, shard: Shard, digest: str, directory: Path) -> None:
        place, path = self._at(digest, shard.file), directory / shard.file
        with write_errors_are_clear(directory):
            entry = self._storage.download(place, path)
        if entry is None:
            raise ArtifactError(f"shared features {self.address.at(place)} are missing; build them again")
        if file_digest(path) != shard.sha256:
            told = "has changed since it was written; its features will be computed again"
            raise ArtifactError(f"{self.address.at(place)} {told}")

    @property
    def _storage(self) -> Storage:
        return self.address.storage()

    def _at(self, digest: str, name: str) -> str:
        return f"{self.prefix}/{digest}/{name}"


def _parsed(content: bytes) -> Manifest | None:
    """None if it is damaged: whoever builds the features writes it anew."""
    try:
        return Manifest.from_json(json.loads(content))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
