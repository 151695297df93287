"""Repositories of the Hugging Face hub; token, endpoint and offline mode come from the environment."""

import os
from typing import Any, BinaryIO, cast

from huggingface_hub import HfFileSystem

from graft.data.remote.faults import Fault, StoreError
from graft.data.remote.store import Entry, Reserve

_YES = ("1", "ON", "YES", "TRUE")


class HubStore:
    """The hub that ``HF_ENDPOINT`` names, or the public one."""

    def __init__(self) -> None:
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in _YES:
            raise StoreError(Fault.OFFLINE, "HF_HUB_OFFLINE is set")
        # Not what the library has read when it was imported.
        endpoint, token = os.environ.get("HF_ENDPOINT"), os.environ.get("HF_TOKEN")
        self._filesystem = HfFileSystem(endpoint=endpoint, token=token, skip_instance_cache=True)

    def entries(self, key: str, is_deep: bool) -> list[Entry]:
        """What lies below a path."""
        found: Any = self._filesystem.find(
            key, maxdepth=None if is_deep else 1, withdirs=True, detail=True, refresh=True
        )
        top = len(self._whole(key))
        entries = [_entry(info, str(info["name"])[top:].strip("/")) for info in found.values()]
        return [entry for entry in entries if entry.path]

    def entry(self, key: str) -> Entry | None:
        """What is at a path."""
        try:
            return _entry(self._filesystem.info(key, refresh=True), "")
        except FileNotFoundError:
            return None

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

    def _whole(self, key: str) -> str:
        """The path as the hub writes it: the revision may be left out by the user."""
        return str(self._filesystem.resolve_path(key).unresolve())


def _entry(info: Any, path: str) -> Entry:
    if info["type"] == "directory":
        return Entry(path, is_folder=True)
    large = info.get("lfs")
    version = getattr(large, "sha256", None) or (large or {}).get("sha256") if large else info.get("blob_id")
    return Entry(path, int(info["size"]), str(version or ""))
