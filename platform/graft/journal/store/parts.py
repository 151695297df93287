"""A journal as objects of a store: parts that are named by the byte at which they begin.

All parts together are the bytes of the journal's file. A part is created, never changed (`If-None-Match`), so of two
writers at one place one is refused. Readers list what lies behind the byte they have come to.

Many small parts are merged into few: the first one of a writer grows, then the others are deleted. A reader that finds
a hole lists again. Two parts are never merged: the first of a writer into its predecessor's, because the key at which
a writer begins is the one at which its predecessor, should it still live, is refused; and the last one, whose key shows
readers that there is more.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graft.core.stores.copy import Copy
from graft.core.stores.storage import ConflictError, Storage

CLAIM = b"#"
"""Begins what a writer leaves where it is about to write; no line of a journal begins so."""

READING_S = 10.0
MERGED_BYTES = 4 << 20


@dataclass(frozen=True)
class Part:
    """Where a part lies, and how much it holds."""

    start: int
    size: int
    tag: str

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Parts:
    """The parts of a journal.

    Attributes:
        copy: of the home.
        prefix: of their keys, with a slash at its end.
    """

    copy: Copy
    prefix: str

    def key(self, start: int) -> str:
        """The name of the part that begins at a byte."""
        return f"{self.prefix}{start:016d}"

    def read_from(self, offset: int, patience: float = READING_S) -> bytes:
        """What the journal holds from a byte on.

        Raises:
            GraftError: the store does not answer.
        """
        while (found := self.copy.asked(lambda storage: self._read(storage, offset), patience)) is None:
            pass  # merged while it was read
        return found

    def claim(self, end: int, nonce: str, storage: Storage) -> str:
        """Take the end of the journal: whoever thought to write there is refused from now on.

        Args:
            end: where that is, as this writer knows.
            nonce: of this writer.
            storage: of the home.

        Returns:
            The tag of the claim.

        Raises:
            ConflictError: the journal has grown since.
            StorageError: the store has not taken it.
        """
        key = self.key(end)
        left = storage.read(key)
        claim = CLAIM + nonce.encode()
        if left is None:
            return storage.create(key, claim)
        if left[0] == claim:
            return left[1]
        if not left[0].startswith(CLAIM):
            raise ConflictError(key)
        return storage.replace(key, claim, left[1])

    def append(self, start: int, content: bytes, claim: str) -> str:
        """Add a part at a byte; returns its tag. Once more is allowed, with the same content.

        Args:
            start: the byte.
            content: of the part.
            claim: tag of what this writer has left there; empty if nothing is there.

        Raises:
            ConflictError: another writer was here.
            StorageError: the store has not taken it.
        """
        storage, key = self.copy.storage, self.key(start)
        try:
            return storage.replace(key, content, claim) if claim else storage.create(key, content)
        except ConflictError:
            found = storage.read(key)  # it may be our own, whose answer was lost
            if found is None or found[0] != content:
                raise
            return found[1]

    def merge(self, mine: Sequence[Part], content: bytes) -> list[Part]:
        """Merge parts that one writer has made one behind the other, but for the last; what there is then.

        Args:
            mine: at least three.
            content: of all but the last.

        Raises:
            ConflictError, StorageError: it did not come to an end; what is there is good.
        """
        first, *others = mine[:-1]
        storage = self.copy.storage
        tag = storage.replace(self.key(first.start), content, first.tag)
        for part in others:
            storage.delete(self.key(part.start))
        return [Part(first.start, len(content), tag), mine[-1]]

    def _read(self, storage: Storage, offset: int) -> bytes | None:
        """None if parts were merged meanwhile."""
        found = list(self._listed(storage, offset))
        if found and found[0].start > offset:
            found = list(self._listed(storage, 0))
        content, at = b"", offset
        for part in found:
            if part.end <= at:
                continue
            if part.start > at:
                return None
            answer = storage.read(self.key(part.start), at - part.start)
            if answer is None:
                return None
            if not answer[0].startswith(CLAIM):
                content, at = content + answer[0], at + len(answer[0])
        return content

    def _listed(self, storage: Storage, offset: int) -> Iterator[Part]:
        after = self.key(offset - 1) if offset else ""
        for entry in storage.entries(self.prefix, after):
            number = entry.key.removeprefix(self.prefix)
            if number.isdecimal():
                yield Part(int(number), entry.size, entry.tag)
