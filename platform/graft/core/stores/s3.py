"""S3 and stores that speak its language, by boto3; settings and credentials come from the environment, as AWS's tools
take them. Conditional writes are the headers ``If-None-Match`` and ``If-Match`` (S3 since 2024; MinIO, Ceph, R2)."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graft.core.errors import ResourceError, SpecError
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
_ATTEMPTS = 2
_PIECE = 4 << 20
_IN_ONE_REQUEST = 64 << 20
_DIGEST = "sha256"
SAYS_YES = frozenset({"1", "true", "yes", "on"})
"""What environment variables of stores hold, in lower case, where something is turned on."""


class S3Storage:
    """The objects of a bucket below a prefix.

    Args:
        bucket: its name.
        prefix: of all keys, with a slash at its end; empty for the whole bucket.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._client = _client()

    def read(self, key: str, start: int = 0) -> tuple[bytes, str] | None:
        """The bytes of an object from an offset on, and its tag."""
        wanted = {"Range": f"bytes={start}-"} if start else {}
        with _sorted() as asked:
            answer = self._client.get_object(**self._at(key), **wanted)
            return answer["Body"].read(), answer["ETag"]
        return (b"", "") if asked.status == 416 else None

    def entry(self, key: str) -> Entry | None:
        """What is known of an object."""
        with _sorted():
            return self._entry(key, self._client.head_object(**self._at(key)))
        return None

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin so, in the order of their keys."""
        start = {"StartAfter": self._prefix + after} if after else {}
        for page in self._pages(prefix, **start):
            for one in page.get("Contents", ()):
                key = one["Key"].removeprefix(self._prefix)
                if not key.endswith("/"):
                    yield Entry(key, one["Size"], one["ETag"], one["LastModified"].timestamp())

    def folders(self, prefix: str) -> Iterator[str]:
        """Names between a prefix that ends in a slash and the next slash."""
        for page in self._pages(prefix, Delimiter="/"):
            for one in page.get("CommonPrefixes", ()):
                yield one["Prefix"].removesuffix("/").rpartition("/")[2]

    def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there."""
        return self._put(key, content, IfNoneMatch="*")

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object that still has a tag."""
        return self._put(key, content, IfMatch=tag)

    def upload(self, key: str, file: Path, digest: str) -> str:
        """Write an object with the content of a file."""
        with file.open("rb") as stream, _sorted():
            if file.stat().st_size <= _IN_ONE_REQUEST:
                return str(self._client.put_object(**self._at(key), Body=stream, Metadata={_DIGEST: digest})["ETag"])
            self._client.upload_fileobj(stream, self._bucket, self._prefix + key, {"Metadata": {_DIGEST: digest}})
            return str(self._client.head_object(**self._at(key))["ETag"])
        raise StorageError(StorageFault.OTHER, f"{key} was not taken")

    def download(self, key: str, file: Path) -> Entry | None:
        """Write the content of an object into a file, and hold it against the digest that its writer has given."""
        with _sorted():
            answer = self._client.get_object(**self._at(key))
            entry, found = self._entry(key, answer), hashlib.sha256()
            with file.open("wb") as target:
                for piece in answer["Body"].iter_chunks(_PIECE):
                    found.update(piece)
                    target.write(piece)
            require_arrived(entry, found.hexdigest())
            return entry
        return None

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""
        with _sorted():
            self._client.delete_object(**self._at(key))

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _put(self, key: str, content: bytes, **condition: str) -> str:
        with _sorted() as asked:
            digest = hashlib.sha256(content).hexdigest()
            put = self._client.put_object(**self._at(key), Body=content, Metadata={_DIGEST: digest}, **condition)
            return str(put["ETag"])
        # A swap of what is not there is answered by 404.
        raise ConflictError(f"{key} ({asked.status})")

    def _pages(self, prefix: str, **more: str) -> Iterator[Any]:
        with _sorted():
            pages = self._client.get_paginator("list_objects_v2")
            yield from pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix, **more)

    @staticmethod
    def _entry(key: str, answer: Any) -> Entry:
        digest = answer["Metadata"].get(_DIGEST, "")
        return Entry(key, answer["ContentLength"], answer["ETag"], answer["LastModified"].timestamp(), digest)


def _client() -> Any:
    try:
        import boto3  # type: ignore[import-untyped]
        from botocore import UNSIGNED  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    except ImportError as error:
        raise ResourceError("a home in S3 needs boto3; `pip install 'graft[s3]'`") from error
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_S,
        "read_timeout": _SILENCE_S,
        # Longer patience is the caller's, who says what is waited for.
        "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
        "max_pool_connections": 32,
    }
    if os.environ.get("AWS_NO_SIGN_REQUEST", "").lower() in SAYS_YES:
        options["signature_version"] = UNSIGNED
    if endpoint := os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        options["s3"] = {"addressing_style": "path"}
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ("us-east-1" if endpoint else None)
    try:
        return boto3.session.Session().client("s3", region_name=region, config=Config(**options))
    except (BotoCoreError, ValueError) as error:
        raise SpecError(f"the settings of S3 in the environment are wrong ({error}); correct them") from error


_DENIED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})


@contextlib.contextmanager
def _sorted() -> Iterator[Answer]:
    """The errors of boto3 as those of a store; "not there" and "not as it was" end the block, and are in what it got.

    Raises:
        StorageError: anything else.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
    )
    from urllib3.exceptions import HTTPError

    answer = Answer()
    try:
        yield answer
    except ClientError as error:
        answer.status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", ""))
        fault = _fault(code, answer.status)
        if fault is not None:
            raise StorageError(fault, _few_words(error.response, code)) from error
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError) as error:
        raise StorageError(StorageFault.DENIED, str(error).rstrip(".")) from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageError(StorageFault.AWAY, few_words(error)) from error


def _fault(code: str, status: int) -> StorageFault | None:
    """None if the store has answered that something is not there, or not as it was thought to be."""
    if code == "NoSuchBucket":
        return StorageFault.NO_BUCKET
    if code in _DENIED:
        return StorageFault.DENIED
    if code in ("ConditionalRequestConflict", "SlowDown"):
        return StorageFault.AWAY  # two at once, or too many; who asks again gets an answer
    return StorageFault.of_status(status)


def _few_words(response: Any, code: str) -> str:
    message = " ".join(str(response.get("Error", {}).get("Message", "")).split()).rstrip(".")
    return f"{code}: {message}"[:160] if message and message != code else code
