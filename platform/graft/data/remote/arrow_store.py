"""Stores that Arrow can read: S3 and its like, Google Cloud Storage, Azure; with settings from the environment."""

import http.client
import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

from pyarrow import fs

from graft.core.errors import SpecError
from graft.data.remote.access import google_emulator, is_anonymous
from graft.data.remote.address import Address
from graft.data.remote.faults import Fault, StoreError
from graft.data.remote.store import Entry, Reserve

_ATTEMPTS = 2
_CONNECT_S = 3.0
_SILENCE_S = 20.0
_PASSED_BYTES = 1 << 20
_GOOGLE_RETRY = timedelta(seconds=2)
_USUAL_REGION = "us-east-1"
_WRITABLE = ("s3", "gs", "abfs")


class ArrowStore:
    """A bucket or a container.

    Args:
        filesystem: of Arrow.
        bucket: in it.
    """

    is_flat = False

    def __init__(self, filesystem: fs.FileSystem, bucket: str) -> None:
        self._filesystem, self._bucket = filesystem, bucket

    def entries(self, key: str, is_deep: bool) -> list[Entry]:
        """What lies below a path."""
        top = self._path(key)
        found = self._filesystem.get_file_info(fs.FileSelector(top, recursive=is_deep))
        kinds = (fs.FileType.File, fs.FileType.Directory)
        return [_entry(info, info.path[len(top) + 1 :]) for info in found if info.type in kinds]

    def entry(self, key: str) -> Entry | None:
        """What is at a path."""
        info = self._filesystem.get_file_info(self._path(key))
        return None if info.type == fs.FileType.NotFound else _entry(info, "")

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """A file that can be read from anywhere; nothing is read ahead."""
        stream = self._filesystem.open_input_file(self._path(key))
        stream.seek(start)
        return cast(BinaryIO, stream)

    def read(self, key: str, most: int, reserve: Reserve) -> bytes:
        """The bytes of an object."""
        with self._filesystem.open_input_file(self._path(key)) as stream:
            count = min(stream.size(), most + 1)
            reserve(count)
            return cast(bytes, stream.read(count))

    def _path(self, key: str) -> str:
        return f"{self._bucket}/{key}" if key else self._bucket


class GoogleStore(ArrowStore):
    """A bucket of Google's: Arrow gives no prefixes of it, and asking an open file for its size waits for ever."""

    is_flat = True

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """A stream; what lies before the offset is read too."""
        stream = self._filesystem.open_input_stream(self._path(key))
        while start > 0 and (passed := len(stream.read(min(start, _PASSED_BYTES)))):
            start -= passed
        return cast(BinaryIO, stream)

    def read(self, key: str, most: int, reserve: Reserve) -> bytes:
        """The bytes of an object."""
        info = self._filesystem.get_file_info(self._path(key))
        if info.type != fs.FileType.File:
            raise FileNotFoundError(key)
        count = min(info.size, most + 1)
        reserve(count)
        with self._filesystem.open_input_stream(self._path(key)) as stream:
            return cast(bytes, stream.read(count))


def arrow_store(scheme: str, place: str) -> ArrowStore:
    """The store of a bucket or a container; nothing is asked of it yet.

    Raises:
        SpecError: a setting in the environment is wrong.
    """
    if scheme == "gs":
        return GoogleStore(_google(place, os.environ), place)
    return ArrowStore((_s3 if scheme == "s3" else _azure)(place, os.environ), place.partition("@")[0])


def filesystem_of(uri: str) -> tuple[fs.FileSystem, str]:
    """The file system of an address in a store, and the path there, with the same settings as for data.

    Raises:
        SpecError: it is no address of a store that can be written, or a setting in the environment is wrong.
    """
    address = Address.of(uri)
    if address.scheme not in _WRITABLE:
        raise SpecError(f"`{uri}` cannot be written; name a directory, or a place in a store (s3://, gs://, abfs://)")
    if address.scheme == "gs":
        filesystem = _google(address.place, os.environ)
    else:
        filesystem = (_s3 if address.scheme == "s3" else _azure)(address.place, os.environ)
    return filesystem, "/".join(filter(None, (address.place.partition("@")[0], address.key)))


def _entry(info: fs.FileInfo, path: str) -> Entry:
    if info.type == fs.FileType.Directory:
        return Entry(path, is_folder=True)
    return Entry(path, info.size if info.size is not None else -1, str(info.mtime_ns or ""))


def _s3(place: str, given: Mapping[str, str]) -> fs.FileSystem:
    options: dict[str, Any] = {
        "anonymous": is_anonymous(Address("s3", place, ""), given),
        "connect_timeout": _CONNECT_S,
        "request_timeout": _SILENCE_S,
        # Longer patience is `graft.data.remote.patience`, which says what it waits for.
        "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    }
    if given.get("AWS_CA_BUNDLE"):
        options["tls_ca_file_path"] = given["AWS_CA_BUNDLE"]
    name = "AWS_ENDPOINT_URL_S3" if given.get("AWS_ENDPOINT_URL_S3") else "AWS_ENDPOINT_URL"
    region = given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION")
    if given.get(name):
        options |= _endpoint(name, given[name])
        region = region or _USUAL_REGION
    elif region is None and not given.get("AWS_PROFILE"):
        region = _region_of(place)
    return fs.S3FileSystem(**options, **({"region": region} if region else {}))


def _region_of(bucket: str) -> str:
    """Where Amazon keeps a bucket; it says so to everybody."""
    connection = http.client.HTTPSConnection(f"{bucket}.s3.amazonaws.com", timeout=_CONNECT_S)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().headers.get("x-amz-bucket-region", _USUAL_REGION)
    except (OSError, http.client.HTTPException, UnicodeError):
        return _USUAL_REGION  # there may be a proxy; else the first request will say what is wrong
    finally:
        connection.close()


def _require_answer(host: str) -> None:
    """Azure's library asks for 15 s on end for a host that is not there, and cannot be told otherwise."""
    try:
        socket.create_connection((host, 443), _CONNECT_S).close()
    except OSError as error:
        raise StoreError(Fault.NETWORK, f"{host}: {error.strerror or error}") from error


def _endpoint(name: str, url: str) -> dict[str, str]:
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or "@" in parts.netloc:
        raise SpecError(f"{name} is {url}, but must be an address such as https://s3.example.org:9000; correct it")
    return {"scheme": parts.scheme, "endpoint_override": parts.netloc}


def _google(place: str, given: Mapping[str, str]) -> fs.FileSystem:
    options: dict[str, Any] = {"retry_time_limit": _GOOGLE_RETRY}
    emulator = google_emulator(given)
    if emulator:
        options |= {**_endpoint("STORAGE_EMULATOR_HOST", emulator), "anonymous": True}
    elif is_anonymous(Address("gs", place, ""), given):
        options["anonymous"] = True
    return fs.GcsFileSystem(**options)


def _azure(place: str, given: Mapping[str, str]) -> fs.FileSystem:
    named = place.partition("@")[2]
    options: dict[str, Any] = {"account_name": named.partition(".")[0] or given.get("AZURE_STORAGE_ACCOUNT_NAME")}
    settings = {
        "account_key": "AZURE_STORAGE_ACCOUNT_KEY",
        "sas_token": "AZURE_STORAGE_SAS_TOKEN",
        "client_id": "AZURE_CLIENT_ID",
        "tenant_id": "AZURE_TENANT_ID",
        "client_secret": "AZURE_CLIENT_SECRET",
    }
    options |= {key: given[name] for key, name in settings.items() if given.get(name)}
    if "account_key" in options or "sas_token" in options:
        options = {key: value for key, value in options.items() if key in ("account_name", "account_key", "sas_token")}
    host = named or f"{options['account_name']}.dfs.core.windows.net"
    if not any(given.get(name) for name in ("AZURE_STORAGE_ENDPOINT", "HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        _require_answer(host)
    if given.get("AZURE_STORAGE_ENDPOINT"):
        stand_in = _endpoint("AZURE_STORAGE_ENDPOINT", given["AZURE_STORAGE_ENDPOINT"])
        for service in ("blob", "dfs"):
            options[f"{service}_storage_authority"] = stand_in["endpoint_override"]
            options[f"{service}_storage_scheme"] = stand_in["scheme"]
    return fs.AzureFileSystem(**options)
