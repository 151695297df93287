"""Google Cloud Storage, by Google's own library; credentials as `google.auth` finds them (`docs/remote.md`).

Conditional writes are made with ``ifGenerationMatch``: an object's generation is its tag, and 0 that of one that is not
there."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from graft.core.errors import ResourceError
from graft.core.storage import file_digest
from graft.core.stores.storage import (
    Answer,
    ConflictError,
    Entry,
    StorageError,
    StorageFault,
    few_words,
    require_arrived,
)

_TIMEOUT = (3.0, 20.0)  # to connect, and of silence
_AGAIN_S = 2.0
_DIGEST = "sha256"
_LISTED = "items(name,size,generation,updated,metadata),prefixes,nextPageToken"
_KIND = "application/octet-stream"
_NO_BUCKET = "bucket does not exist"


class GoogleStorage:
    """The objects of a bucket below a prefix.

    Args:
        bucket: its name.
        prefix: of all keys, with a slash at its end; empty for the whole bucket.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._name, self._prefix = bucket, prefix
        _require_package()

    def read(self, key: str, start: int = 0) -> tuple[bytes, str] | None:
        """The bytes of an object from an offset on, and its tag."""
        with _sorted() as asked:
            blob = self._at(key)
            # Of a part no checksum is sent.
            part: dict[str, Any] = {"start": start, "checksum": None} if start else {}
            content = blob.download_as_bytes(raw_download=True, single_shot_download=True, **part, **_patient())
            return content, str(blob.generation)
        return (b"", "") if asked.status == 416 else None

    def entry(self, key: str) -> Entry | None:
        """What is known of an object."""
        with _sorted():
            blob = self._at(key)
            blob.reload(**_patient())
            return self._entry(blob)
        return None

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin so, in the order of their keys."""
        start = {"start_offset": self._prefix + after} if after else {}
        for page in self._pages(prefix, **start):
            for blob in page:
                entry = self._entry(blob)
                if entry.key != after and not entry.key.endswith("/"):
                    yield entry

    def folders(self, prefix: str) -> Iterator[str]:
        """Names between a prefix that ends in a slash and the next slash."""
        for page in self._pages(prefix, delimiter="/"):
            for name in sorted(page.prefixes):
                yield name.removesuffix("/").rpartition("/")[2]

    def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there."""
        return self._put(key, content, 0)

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object that still has a tag."""
        return self._put(key, content, int(tag))

    def upload(self, key: str, file: Path, digest: str) -> str:
        """Write an object with the content of a file."""
        return self._written(key, digest, lambda blob: blob.upload_from_filename(str(file), **_patient()))

    def download(self, key: str, file: Path) -> Entry | None:
        """Write the content of an object into a file, and hold it against the digest that its writer has given."""
        with _sorted() as asked:
            blob = self._at(key)
            blob.reload(**_patient())
            entry = self._entry(blob)
            blob.download_to_filename(
                str(file), raw_download=True, if_generation_match=int(entry.tag), checksum=None, **_patient()
            )
            require_arrived(entry, file_digest(file))
            return entry
        if asked.status != 404:
            raise StorageError(StorageFault.AWAY, f"{key} changed while it was read")
        return None

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with _sorted():
            self._at(key).delete(**_patient())

    def _at(self, key: str) -> Any:
        return self._bucket.blob(self._prefix + key)

    @cached_property
    def _bucket(self) -> Any:
        return _client().bucket(self._name)

    def _put(self, key: str, content: bytes, generation: int) -> str:
        digest = hashlib.sha256(content).hexdigest()
        once = {"if_generation_match": generation, "retry": None, "timeout": _TIMEOUT}
        return self._written(key, digest, lambda blob: blob.upload_from_string(content, _KIND, **once))

    def _written(self, key: str, digest: str, send: Callable[[Any], None]) -> str:
        with _sorted() as asked:
            blob = self._at(key)
            blob.metadata = {_DIGEST: digest}
            send(blob)
            return str(blob.generation)
        if asked.status == 404:  # nothing else can be missing for a write
            raise StorageError(StorageFault.NO_BUCKET, f"no bucket {self._name}")
        raise ConflictError(f"{key} ({asked.status})")

    def _pages(self, prefix: str, **more: str) -> Iterator[Any]:
        with _sorted() as asked:
            found = self._bucket.client.list_blobs(
                self._bucket, prefix=self._prefix + prefix, fields=_LISTED, **more, **_patient()
            )
            for page in found.pages:
                page.prefixes = found.prefixes
                yield page
        if asked.status:
            raise StorageError(StorageFault.NO_BUCKET, f"no bucket {self._name}")

    def _entry(self, blob: Any) -> Entry:
        digest = (blob.metadata or {}).get(_DIGEST, "")
        key = blob.name.removeprefix(self._prefix)
        return Entry(key, int(blob.size), str(blob.generation), blob.updated.timestamp(), digest)


def _require_package() -> None:
    try:
        import google.cloud.storage  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "a home in Google Cloud Storage needs google-cloud-storage; `pip install 'graft[gcs]'`"
        ) from error


def _client() -> Any:
    """Connected by what the environment has: nothing that opens the store is in an address."""
    from google.cloud import storage

    return storage.Client(project=None)


def _patient() -> dict[str, Any]:
    """For requests that may be made twice. Longer patience is the caller's, who says what is waited for."""
    from google.cloud.storage.retry import DEFAULT_RETRY

    return {"timeout": _TIMEOUT, "retry": DEFAULT_RETRY.with_timeout(_AGAIN_S)}


@contextlib.contextmanager
def _sorted() -> Iterator[Answer]:
    """The errors of Google's library as those of a store; "not there" and "not as it was" end the block, and are in
    what it got.

    Raises:
        StorageError: anything else.
    """
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
    from requests.exceptions import RequestException

    answer = Answer()
    try:
        yield answer
    except GoogleAPICallError as error:
        answer.status = int(error.code or 0)
        if answer.status == 404 and _NO_BUCKET in str(error):
            raise StorageError(StorageFault.NO_BUCKET, few_words(error.message)) from error
        fault = StorageFault.of_status(answer.status)
        if fault is not None:
            raise StorageError(fault, few_words(error.message)) from error
    except InvalidResponse as error:
        status = int(error.response.status_code)
        raise StorageError(StorageFault.of_status(status) or StorageFault.AWAY, few_words(error)) from error
    except (RetryError, TransportError, DataCorruption, RequestException, ConnectionError) as error:
        raise StorageError(StorageFault.AWAY, few_words(getattr(error, "cause", None) or error)) from error
    except GoogleAuthError as error:
        raise StorageError(StorageFault.DENIED, few_words(error)) from error
