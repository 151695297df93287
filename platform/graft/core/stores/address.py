"""Addresses of homes in stores, and the storage behind one."""

import os
from dataclasses import dataclass
from functools import lru_cache

from graft.core.errors import GraftError, ResourceError, SpecError
from graft.core.stores.kinds import KINDS, StoreKind
from graft.core.stores.storage import Storage, StorageError, StorageFault
from graft.core.uris import scheme_of

_CAN = (
    "homes are kept in directories, in S3 and stores that speak its language (s3://BUCKET/PREFIX), in Google Cloud "
    "Storage (gs://BUCKET/PREFIX), in Azure (abfs://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX), and in folders "
    "that all nodes share and keep copies of (folder:///PATH)"
)
_MEANT = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs", "az": "abfs", "adl": "abfs", "abfss": "abfs", "wasb": "abfs",
    "wasbs": "abfs",
}  # fmt: skip
_CLOSEST = {
    **{given: f"; write {meant}://" for given, meant in _MEANT.items()},
    "file": "; write the path alone",
    "nfs": "; mount the share, and name the directory",
}


@dataclass(frozen=True)
class HomeAddress:
    """Where a home in a store lies.

    Attributes:
        scheme: one of `KINDS`.
        place: the bucket, or the container and its account; empty for a folder.
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
        if scheme not in KINDS:
            raise SpecError(f"home is {text}, but {_CAN}{_CLOSEST.get(scheme, '')}")
        if scheme == "folder":
            if not rest.startswith("/"):
                raise SpecError(f"home is {text}, but must name an absolute path, as in folder:///mnt/share/graft")
            return cls(scheme, "", os.path.normpath(rest))
        place, _, prefix = rest.partition("/")
        kind = KINDS[scheme]
        if not kind.place.fullmatch(place):
            raise SpecError(f"home is {text}, but must be {kind.form} with the name of a {kind.holder}; correct it")
        if ".." in prefix.split("/"):
            raise SpecError(f"home is {text}, but must have no `..` in it; correct it")
        return cls(scheme, place, "/".join(filter(None, prefix.split("/"))))

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.place, self.prefix)))}"

    @property
    def kind(self) -> StoreKind:
        """Of the store."""
        return KINDS[self.scheme]

    @property
    def origin(self) -> str:
        """What the environment adds to the address: the same address of another server is another home."""
        return self.kind.origin(self.place)

    def at(self, key: str) -> str:
        """The address of an object, for people."""
        return f"{self}/{key}"

    def storage(self) -> Storage:
        """What reads and writes it, one a process and environment: connections are kept open.

        Raises:
            SpecError: a folder that is not there, or settings that are wrong.
            ResourceError: a package is missing.
        """
        begins = self.kind.settings
        settings = ((name, value) for name, value in os.environ.items() if begins and name.startswith(begins))
        return _storage(self, tuple(sorted(settings)))

    def told(self, error: StorageError) -> GraftError:
        """A store's error for a user: what is wrong with the home, and what to do."""
        kind = self.kind
        match error.fault:
            case StorageFault.NO_BUCKET:
                told = f"home is {self}, but there is no {kind.holder} {self.place}; create it, or check its name"
                return SpecError(f"{told} and AWS_ENDPOINT_URL" if self.scheme == "s3" else told)
            case StorageFault.DENIED:
                return ResourceError(f"home {self} refuses these credentials ({error.told}); check {kind.access}")
            case StorageFault.AWAY:
                return ResourceError(f"home {self} cannot be reached ({error.told}); check {kind.way}, and try again")
            case _:
                return ResourceError(f"home {self} cannot be used ({error.told}); check the store, and try again")


@lru_cache(maxsize=16)
def _storage(address: HomeAddress, settings: tuple[tuple[str, str], ...]) -> Storage:
    return address.kind.opened(address.place, address.prefix)
