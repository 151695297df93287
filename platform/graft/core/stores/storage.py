"""What a home in a store needs of that store: whole objects by key, and writes that happen only if nobody was first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


class StorageFault(Enum):
    """What is wrong with a store, by what can be done about it."""

    AWAY = "away"
    """It does not answer, or not now; it may the next time."""
    NO_BUCKET = "no_bucket"
    DENIED = "denied"
    OTHER = "other"

    @classmethod
    def of_status(cls, status: int) -> "StorageFault | None":
        """What an HTTP status means; None if it says that an object is not there, or not as it was thought to be."""
        if status in (404, 412, 416):
            return None
        if status in (401, 403):
            return cls.DENIED
        return cls.AWAY if status >= 500 or status in (408, 429) else cls.OTHER


class StorageError(Exception):
    """A store's error, sorted.

    Args:
        fault: what it is.
        told: by the store, in a few words.
    """

    def __init__(self, fault: StorageFault, told: str) -> None:
        super().__init__(fault, told)
        self.fault, self.told = fault, told

    def __str__(self) -> str:
        return self.told


class ConflictError(Exception):
    """A conditional write that did not happen: somebody else was first."""


class Answer:
    """The HTTP status with which a store has said that something is not there, or not as it was thought to be."""

    status = 0


@dataclass(frozen=True)
class Entry:
    """An object, as a store lists it.

    Attributes:
        key: its name.
        size: in bytes.
        tag: changes whenever the object does.
        modified: when that was, in seconds since 1970.
        digest: sha256 of its content, in hex, as its writer has said; empty where the store did not tell.
    """

    key: str
    size: int
    tag: str
    modified: float = 0.0
    digest: str = ""


class Storage(Protocol):
    """Objects by key. All methods raise `StorageError`; an object that is not there is None.

    Keys that end in a slash are no objects: some tools leave them as marks of folders.
    A write is whole or did not happen, and who reads after it sees it. `create` and `replace` are atomic: of several
    who try at once, one wins, and the others get `ConflictError`.
    """

    def read(self, key: str, start: int = 0) -> tuple[bytes, str] | None:
        """The bytes of an object from an offset on, and its tag."""

    def entry(self, key: str) -> Entry | None:
        """What is known of an object."""

    def entries(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """All objects whose keys begin so, in the order of their keys.

        Args:
            prefix: of the keys.
            after: only keys behind this one.
        """

    def folders(self, prefix: str) -> Iterator[str]:
        """Names between a prefix that ends in a slash and the next slash."""

    def create(self, key: str, content: bytes) -> str:
        """Write an object that is not there; its tag."""

    def replace(self, key: str, content: bytes, tag: str) -> str:
        """Write an object that still has a tag; its new one."""

    def upload(self, key: str, file: Path, digest: str) -> str:
        """Write an object with the content of a file, whatever is there; its tag."""

    def download(self, key: str, file: Path) -> Entry | None:
        """Write the content of an object into a file; what it was."""

    def delete(self, key: str) -> None:
        """Delete an object, if it is there."""


def require_arrived(entry: Entry, digest: str) -> None:
    """Hold what was read against the digest that its writer has given.

    Args:
        entry: what was asked for.
        digest: sha256 of what arrived, in hex.

    Raises:
        StorageError: they differ; who asks again may get the whole of it.
    """
    if entry.digest and entry.digest != digest:
        raise StorageError(StorageFault.AWAY, f"{entry.key} did not arrive as it was sent")


def few_words(text: object) -> str:
    """What a library says of an error, short enough for a line."""
    return " ".join(str(text).split())[:160].rstrip(". ")


def kept_trying(ask: Callable[[], T], seconds: float, wait: Callable[[float], object], now: Callable[[], float]) -> T:
    """The answer of a store, which is asked again, ever more seldom, while it is away.

    Args:
        ask: asks it.
        seconds: from the first failure on.
        wait: sleeps.
        now: seconds of a clock that never goes back.

    Raises:
        StorageError: it has not answered in time, or has said no.
    """
    began: float | None = None
    pause = 0.25
    while True:
        try:
            return ask()
        except StorageError as error:
            began = now() if began is None else began
            if error.fault is not StorageFault.AWAY or now() - began + pause > seconds:
                raise
            wait(pause)
            pause = min(2 * pause, 5.0)
