"""The kinds of stores that homes are kept in: how their addresses look, and which settings lead there."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import SpecError
from graft.core.stores.storage import Storage


@dataclass(frozen=True)
class StoreKind:
    """A kind of store.

    Attributes:
        form: how an address of it looks.
        place: what may stand between ``//`` and the next slash.
        holder: what the store calls what holds objects.
        settings: how the names of the environment variables begin that it is reached by.
        access: what to check when it refuses the credentials.
        way: what to check when it does not answer.
        origin: of a place: the server and the account that the environment adds to it; two that differ are two stores.
        opened: the storage of a place and a prefix.
    """

    form: str
    place: re.Pattern[str]
    holder: str
    settings: tuple[str, ...]
    access: str
    way: str
    origin: Callable[[str], str]
    opened: Callable[[str, str], Storage]


def azure_account(place: str) -> str:
    """The account of ``CONTAINER@ACCOUNT.dfs.core.windows.net``, or of the environment; empty if neither names one."""
    return place.partition("@")[2].partition(".")[0] or os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")


def _folder(place: str, prefix: str) -> Storage:
    from graft.core.stores.folder import FolderStorage

    root = Path(prefix)
    if not root.is_dir():
        raise SpecError(f"home is folder://{root}, but {root} is not there; mount it, or make it")
    return FolderStorage(root)


def _s3(place: str, prefix: str) -> Storage:
    from graft.core.stores.s3 import S3Storage

    return S3Storage(place, _below(prefix))


def _google(place: str, prefix: str) -> Storage:
    from graft.core.stores.google import GoogleStorage

    return GoogleStorage(place, _below(prefix))


def _azure(place: str, prefix: str) -> Storage:
    from graft.core.stores.azure import AzureStorage

    return AzureStorage(place, _below(prefix))


def _below(prefix: str) -> str:
    return f"{prefix}/" if prefix else ""


def _s3_origin(place: str) -> str:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""


def _google_origin(place: str) -> str:
    return os.environ.get("STORAGE_EMULATOR_HOST", "")


def _azure_origin(place: str) -> str:
    return " ".join(filter(None, (os.environ.get("AZURE_STORAGE_ENDPOINT"), azure_account(place))))


_RIGHTS = "and that they may list, read, write and delete there"

KINDS = {
    "s3": StoreKind(
        form="s3://BUCKET/PREFIX",
        place=re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"),
        holder="bucket",
        settings=("AWS_",),
        access=f"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, {_RIGHTS}",
        way="the network and AWS_ENDPOINT_URL",
        origin=_s3_origin,
        opened=_s3,
    ),
    "gs": StoreKind(
        form="gs://BUCKET/PREFIX",
        place=re.compile(r"[a-z0-9][a-z0-9._\-]{1,220}[a-z0-9]"),
        holder="bucket",
        settings=("GOOGLE_", "GCE_", "CLOUDSDK_", "STORAGE_EMULATOR_HOST"),
        access=f"GOOGLE_APPLICATION_CREDENTIALS, or `gcloud auth application-default login`, {_RIGHTS}",
        way="the network",
        origin=_google_origin,
        opened=_google,
    ),
    "abfs": StoreKind(
        form="abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX, or abfs://CONTAINER/PREFIX",
        place=re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,62}(?:@[a-z0-9]{3,24}\.(?:dfs|blob)(?:\.[a-z0-9\-]+)+)?"),
        holder="container",
        settings=("AZURE_", "IDENTITY_", "MSI_"),
        access=f"AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or the identity, {_RIGHTS}",
        way="the network and the name of the account",
        origin=_azure_origin,
        opened=_azure,
    ),
    "folder": StoreKind(
        form="folder:///PATH",
        place=re.compile(""),
        holder="folder",
        settings=(),
        access="that this user may list, read, write and delete there",
        way="that it is mounted",
        origin=lambda place: "",
        opened=_folder,
    ),
}
"""By the schemes of their addresses."""
