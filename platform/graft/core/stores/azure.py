"""Azure's blobs, by Azure's own library; credentials as `docs/remote.md` has them.

Conditional writes are the headers ``If-None-Match`` and ``If-Match`` with an object's ETag."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from graft.core.errors import ResourceError, SpecError
from graft.core.storage import file_digest
from graft.core.stores.kinds import azure_account
from graft.core.stores.storage import (
    Answer,
    ConflictError,
    Entry,
    StorageError,
    StorageFault,
    few_words,
    require_arrived,
)

_CONNECT_S, _SILENCE_S = 3.0, 20.0
_AGAIN_S = 1
_IN_ONE_REQUEST = 64 << 20
_DIGEST = "sha256"
_NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerDisabled"})
_BUSY = frozenset({"ContainerBeingDeleted", "OperationTimedOut", "ServerBusy", "InternalError"})
_THERE = "BlobAlreadyExists"


class AzureStorage:
    """The blobs of a container below a prefix.

    Args:
        place: the container, and behind an ``@`` its account's host, unless the environment names the account.
        prefix: of all keys, with a slash at its end; empty for the whole container.

    Raises:
        SpecError: no account is named.
        ResourceError: a package is missing.
    """

    def __init__(self, place: str, prefix: str) -> None:
        self._prefix = prefix
        self._url, self._name = _account_url(place), place.partition("@")[0]
        _require_packages()

    def read(self, key: str, start: int = 0) -> tuple[bytes, str] | None:
        """The bytes of an object from an offset on, and its tag."""
        with _sorted() as asked:
            found = self._at(key).download_blob(offset=start or None)
            return found.readall(), _tag(found.properties)
        return (b"", "") if asked.status == 416 else _absent(key, asked)

    def entry(self, key: str) -> Entry | None:
        """What is known of an object."""
        with _sorted():
            return self._entry(self._at(key).get_blob_properties())
        return None

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin so, in the order of their keys; Azure cannot be told where to start."""
        with _sorted():
            for blob in self._container.list_blobs(name_starts_with=self._prefix + prefix, include=["metadata"]):
                entry = self._entry(blob)
                if entry.key > after and not _is_folder(blob):
                    yield entry

    def folders(self, prefix: str) -> Iterator[str]:
        """Names between a prefix that ends in a slash and the next slash."""
        from azure.storage.blob import BlobPrefix

        with _sorted():
            for found in self._container.walk_blobs(name_starts_with=self._prefix + prefix, delimiter="/"):
                if isinstance(found, BlobPrefix):
                    yield found.name.removesuffix("/").rpartition("/")[2]

    def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there."""
        return self._put(key, content, overwrite=False)

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object that still has a tag."""
        from azure.core import MatchConditions

        still = {"etag": f'"{tag}"', "match_condition": MatchConditions.IfNotModified}
        return self._put(key, content, overwrite=True, **still)

    def upload(self, key: str, file: Path, digest: str) -> str:
        """Write an object with the content of a file."""
        with file.open("rb") as stream, _sorted():
            length = file.stat().st_size
            sent = self._at(key).upload_blob(stream, length=length, overwrite=True, metadata={_DIGEST: digest})
            return _tag(sent)
        raise StorageError(StorageFault.OTHER, f"{key} was not taken")

    def download(self, key: str, file: Path) -> Entry | None:
        """Write the content of an object into a file, and hold it against the digest that its writer has given."""
        with _sorted() as asked:
            found = self._at(key).download_blob()
            with file.open("wb") as target:
                found.readinto(target)
            entry = self._entry(found.properties)
            require_arrived(entry, file_digest(file))
            return entry
        return _absent(key, asked)

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with _sorted():
            self._at(key).delete_blob()

    @cached_property
    def _container(self) -> Any:
        from azure.storage.blob import ContainerClient, LinearRetry

        # Longer patience is the caller's, who says what is waited for.
        again = LinearRetry(backoff=_AGAIN_S, retry_total=1, random_jitter_range=0)
        return ContainerClient(
            self._url, self._name, credential=_credential(self._url), retry_policy=again,
            connection_timeout=_CONNECT_S, read_timeout=_SILENCE_S, max_single_put_size=_IN_ONE_REQUEST,
        )  # fmt: skip

    def _at(self, key: str) -> Any:
        return self._container.get_blob_client(self._prefix + key)

    def _put(self, key: str, content: bytes, **condition: Any) -> str:
        with _sorted() as asked:
            digest = hashlib.sha256(content).hexdigest()
            return _tag(self._at(key).upload_blob(content, metadata={_DIGEST: digest}, **condition))
        raise ConflictError(f"{key} ({asked.status})")

    def _entry(self, found: Any) -> Entry:
        digest = (found.metadata or {}).get(_DIGEST, "")
        key = found.name.removeprefix(self._prefix)
        return Entry(key, int(found.size), _tag(found), found.last_modified.timestamp(), digest)


def _tag(found: Any) -> str:
    """An ETag, which stands in quotes in the header of an answer, and without in a list."""
    return str(found["etag"]).strip('"')


def _absent(key: str, asked: Answer) -> None:
    """None for what is not there.

    Raises:
        StorageError: it is, but became another while its pieces were read.
    """
    if asked.status == 412:
        raise StorageError(StorageFault.AWAY, f"{key} changed while it was read")


def _is_folder(blob: Any) -> bool:
    """Accounts with a hierarchical namespace list their folders among the blobs."""
    return blob.name.endswith("/") or (blob.metadata or {}).get("hdi_isfolder") == "true"


def _account_url(place: str) -> str:
    """Where the blobs of an account are asked for.

    Raises:
        SpecError: no account is named.
    """
    account, host = azure_account(place), place.partition("@")[2]
    if not account:
        raise SpecError(
            f"home is abfs://{place}, but AZURE_STORAGE_ACCOUNT_NAME is not set; set it, or name the account, as in "
            f"abfs://{place}@ACCOUNT.dfs.core.windows.net"
        )
    if stand_in := os.environ.get("AZURE_STORAGE_ENDPOINT"):
        return f"{stand_in.rstrip('/')}/{account}"
    return f"https://{host.replace('.dfs.', '.blob.', 1) or f'{account}.blob.core.windows.net'}"


def _require_packages() -> None:
    try:
        import azure.identity
        import azure.storage.blob  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "a home in Azure needs azure-storage-blob and azure-identity; `pip install 'graft[azure]'`"
        ) from error


def _credential(url: str) -> Any:
    """What opens the account: a key, a signature, or the identity that Azure's own tools find."""
    from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
    from azure.identity import DefaultAzureCredential

    if key := os.environ.get("AZURE_STORAGE_ACCOUNT_KEY"):
        account = url.rpartition("/")[2].partition(".")[0]
        return AzureNamedKeyCredential(account, key)
    if signature := os.environ.get("AZURE_STORAGE_SAS_TOKEN"):
        return AzureSasCredential(signature)
    return DefaultAzureCredential()


@contextlib.contextmanager
def _sorted() -> Iterator[Answer]:
    """The errors of Azure's library as those of a store; "not there" and "not as it was" end the block, and are in
    what it got.

    Raises:
        StorageError: anything else.
    """
    from azure.core.exceptions import AzureError, HttpResponseError

    answer = Answer()
    try:
        yield answer
    except HttpResponseError as error:
        answer.status = int(error.status_code or 0)
        fault = _fault(error, str(getattr(error, "error_code", "") or ""))
        if fault is not None:
            raise StorageError(fault, few_words(error.message)) from error
    except AzureError as error:
        raise StorageError(StorageFault.AWAY, few_words(error)) from error


def _fault(error: Any, code: str) -> StorageFault | None:
    """None if the store has answered that something is not there, or not as it was thought to be."""
    from azure.core.exceptions import ClientAuthenticationError, DecodeError

    if code in _NO_CONTAINER:
        return StorageFault.NO_BUCKET
    if code in _BUSY or isinstance(error, DecodeError):  # the latter: an answer that was cut short
        return StorageFault.AWAY
    if isinstance(error, ClientAuthenticationError):
        return StorageFault.DENIED
    return None if code == _THERE else StorageFault.of_status(int(error.status_code or 0))
