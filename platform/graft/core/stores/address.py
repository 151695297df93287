"""Addresses of homes in stores, and the storage behind one."""

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from graft.core.errors import GraftError, ResourceError, SpecError
from graft.core.stores.storage import Storage, StorageError, StorageFault
from graft.core.uris import scheme_of

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_SETTINGS = "AWS_"
_CAN = (
    "homes are kept in directories, in S3 and stores that speak its language (s3://BUCKET/PREFIX), and in folders that "
    "all nodes share and keep copies of (folder:///PATH)"
)
_CLOSEST = {
    "gs": "; Google Cloud Storage can be mounted as a directory (gcsfuse)",
    "gcs": "; Google Cloud Storage can be mounted as a directory (gcsfuse)",
    "abfs": "; Azure can be mounted as a directory (NFS, blobfuse)",
    "abfss": "; Azure can be mounted as a directory (NFS, blobfuse)",
    "az": "; Azure can be mounted as a directory (NFS, blobfuse)",
    "s3a": "; write s3://",
    "s3n": "; write s3://",
    "file": "; write the path alone",
    "nfs": "; mount the share, and name the directory",
}


@dataclass(frozen=True)
class HomeAddress:
    """Where a home in a store lies.

    Attributes:
        scheme: ``s3`` or ``folder``.
        place: the bucket; empty for a folder.
        prefix: of all keys, without slashes at its ends; the absolute path of a folder.
    """

    scheme: str
    place: str
    prefix: str

    @classmethod
    def of(cls, text: str) -> "HomeAddress":
        """The parts of an address.

        Raises:
            SpecError: no home can be there.
        """
        scheme, rest = scheme_of(text), text.partition("://")[2]
        if any(ord(letter) < 32 for letter in text):
            raise SpecError("home is an address with control characters, but must have none; correct it")
        if scheme == "folder":
            if not rest.startswith("/"):
                raise SpecError(f"home is {text}, but must name an absolute path, as in folder:///mnt/share/graft")
            return cls(scheme, "", os.path.normpath(rest))
        if scheme != "s3":
            raise SpecError(f"home is {text}, but {_CAN}{_CLOSEST.get(scheme, '')}")
        bucket, _, prefix = rest.partition("/")
        if not _BUCKET.fullmatch(bucket):
            raise SpecError(f"home is {text}, but must be s3://BUCKET/PREFIX with the name of a bucket; correct it")
        if ".." in prefix.split("/"):
            raise SpecError(f"home is {text}, but must have no `..` in it; correct it")
        return cls(scheme, bucket, "/".join(filter(None, prefix.split("/"))))

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.place, self.prefix)))}"

    def at(self, key: str) -> str:
        """The address of an object, for people."""
        return f"{self}/{key}"

    def storage(self) -> Storage:
        """What reads and writes it, one a process and environment: connections are kept open.

        Raises:
            SpecError: a folder that is not there.
            ResourceError: a package is missing.
        """
        settings = ((name, value) for name, value in os.environ.items() if name.startswith(_SETTINGS))
        return _storage(self, tuple(sorted(settings)))

    def told(self, error: StorageError) -> GraftError:
        """A store's error for a user: what is wrong with the home, and what to do."""
        match error.fault:
            case StorageFault.NO_BUCKET:
                told = f"home is {self}, but there is no bucket {self.place}; create it, or check its name"
                return SpecError(f"{told} and AWS_ENDPOINT_URL")
            case StorageFault.DENIED:
                what = (
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may list, read, write and delete there"
                )
                return ResourceError(f"home {self} refuses these credentials ({error.told}); check {what}")
            case StorageFault.AWAY:
                what = "the network and AWS_ENDPOINT_URL" if self.scheme == "s3" else "that it is mounted"
                return ResourceError(f"home {self} cannot be reached ({error.told}); check {what}, and try again")
            case _:
                return ResourceError(f"home {self} cannot be used ({error.told}); check the store, and try again")


@lru_cache(maxsize=16)
def _storage(address: HomeAddress, settings: tuple[tuple[str, str], ...]) -> Storage:
    if address.scheme == "folder":
        from graft.core.stores.folder import FolderStorage

        root = Path(address.prefix)
        if not root.is_dir():
            raise SpecError(f"home is {address}, but {root} is not there; mount it, or make it")
        return FolderStorage(root)
    from graft.core.stores.s3 import S3Storage

    return S3Storage(address.place, f"{address.prefix}/" if address.prefix else "")
