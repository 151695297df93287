"""Addresses of what lies in a store, in parts."""

import posixpath
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import quote, urljoin

from graft.core.uris import REMOTE_SCHEMES, scheme_of

_WEB = ("http", "https")


@dataclass(frozen=True)
class Address:
    """Something in a store.

    Attributes:
        scheme: one of `REMOTE_SCHEMES`.
        place: the bucket, the container with its account, or the host; empty for the hub, which is one place.
        key: path in it, without slashes at its ends; on the web with the query.
    """

    scheme: str
    place: str
    key: str

    @classmethod
    def of(cls, uri: str) -> "Address":
        """The parts of an address that `DataPath` has let through."""
        scheme, rest = scheme_of(uri), uri.partition("://")[2]
        if scheme == "hf":
            return cls(scheme, "", rest.strip("/"))
        place, _, key = rest.partition("/")
        return cls(scheme, place, key if scheme in _WEB else key.strip("/"))

    @property
    def root(self) -> str:
        """The address of the store itself, for people."""
        return f"{self.scheme}://{self.place}" if self.place else "the Hugging Face hub"

    @property
    def is_web(self) -> bool:
        """Whether it is of a server that lists nothing."""
        return self.scheme in _WEB

    def __str__(self) -> str:
        return f"{self.scheme}://{'/'.join(filter(None, (self.place, self.key)))}"


def is_remote(path: object) -> TypeGuard[str]:
    """Whether a `DataPath`, or the cell of a table, is the address of something in a store."""
    return isinstance(path, str) and scheme_of(path) in REMOTE_SCHEMES


def is_remote_source(source: object) -> TypeGuard[bytes]:
    """Whether an entry of `Listing.sources` is such an address: those of files are absolute paths."""
    if not isinstance(source, bytes) or source[:1] == b"/" or b"://" not in source[:10]:
        return False
    return source.partition(b"://")[0].decode("ascii", "replace") in REMOTE_SCHEMES


def beside(uri: str, name: str) -> str:
    """The address that a file at another address names; no name leads out of its bucket or server."""
    address = Address.of(uri)
    if address.is_web:
        return urljoin(uri, quote(name, safe="/%?&=+,;:@!$'()*~[]-._"))
    folder = "" if name.startswith("/") else address.key.rpartition("/")[0]
    key = posixpath.normpath(posixpath.join("/", folder, name.lstrip("/"))).strip("/")
    return str(Address(address.scheme, address.place, key))
