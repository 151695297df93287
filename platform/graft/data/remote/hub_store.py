"""Repositories of the Hugging Face hub; token, endpoint and offline mode come from the environment."""

import os
from typing import Any, BinaryIO, cast

from huggingface_hub import HfApi, HfFileSystem
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from graft.data.remote.faults import Fault, StoreError
from graft.data.remote.store import Entry, Reserve

_YES = ("1", "ON", "YES", "TRUE")


class HubStore:
    """The hub that ``HF_ENDPOINT`` names, or the public one.

    Raises:
        StoreError: the user has said that the hub must not be asked.
    """

    is_flat = True  # it pages through a whole repository faster than through its folders

    def __init__(self) -> None:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in _YES:
            raise StoreError(Fault.OFFLINE, "HF_HUB_OFFLINE is set")
        # Not what the library has read when it was imported.
        endpoint, token = os.environ.get("HF_ENDPOINT"), os.environ.get("HF_TOKEN")
        self._api = HfApi(endpoint=endpoint, token=token)
        self._filesystem = HfFileSystem(endpoint=endpoint, token=token, skip_instance_cache=True)

    def entries(self, key: str, is_deep: bool) -> list[Entry]:
        """What lies below a path."""
        repository, path = self._in_repository(key)
        found = self._api.list_repo_tree(path_in_repo=path or None, recursive=is_deep, **repository)
        return [_entry(one, one.path[len(path) :].strip("/")) for one in found]

    def entry(self, key: str) -> Entry | None:
        """What is at a path."""
        try:
            repository, path = self._in_repository(key)
            if not path:
                self._api.repo_info(**repository)
                return Entry("", is_folder=True)
            found = self._api.get_paths_info(paths=[path], **repository)
        except (FileNotFoundError, EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError):
            return None
        return _entry(found[0], "") if found else None

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """A file that is read in blocks."""
        stream = self._filesystem.open(key, "rb")
        stream.seek(start)
        return cast(BinaryIO, stream)

    def read(self, key: str, most: int, reserve: Reserve) -> bytes:
        """The bytes of a file."""
        with self._filesystem.open(key, "rb", block_size=0) as stream:
            size = getattr(stream, "size", None)
            reserve(most if size is None else min(size, most + 1))
            return cast(bytes, stream.read(most + 1))

    def _in_repository(self, key: str) -> tuple[dict[str, Any], str]:
        """Which repository, and the path in it."""
        found: Any = self._filesystem.resolve_path(key)  # buckets have other addresses
        repository = {"repo_id": found.repo_id, "repo_type": found.repo_type, "revision": found.revision}
        return repository, found.path_in_repo


def _entry(info: Any, path: str) -> Entry:
    """Of a file or a folder; folders have no size."""
    if not hasattr(info, "size"):
        return Entry(path, is_folder=True)
    return Entry(path, int(info.size), str(info.lfs.sha256 if info.lfs else info.blob_id))
