"""The names below a directory, as the walk has found them: what decides about them needs no disk."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from graft.data.folders.paths import printable
from graft.data.overview import Ignored, Tally


@dataclass(frozen=True, eq=False)
class Folder:
    """A folder without what is left out.

    Attributes:
        path: relative to the directory, with slashes; empty for the directory itself.
        samples: names of the files in it that are samples.
        broken: names of samples in it that cannot be read: links to nothing, pipes, empty files.
        others: how many other files lie in it.
        folders: in it, by name.
        count: samples in it and below.
    """

    path: str
    samples: Sequence[str] = ()
    broken: tuple[str, ...] = ()
    others: int = 0
    folders: tuple["Folder", ...] = ()
    count: int = 0

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def filled(self) -> tuple["Folder", ...]:
        """Folders in it that have samples in them or below."""
        return tuple(folder for folder in self.folders if folder.count)

    def below(self) -> Iterator["Folder"]:
        """Itself and every folder below; a path has no more parts than fit on a stack, but Python's is shorter."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting += folder.folders[::-1]

    def files(self, broken: bool = False) -> list[str]:
        """Paths of all samples below, sorted; with `broken` also of those that cannot be read."""
        found = [
            join(folder.path, name)
            for folder in self.below()
            for name in (*folder.samples, *(folder.broken if broken else ()))
        ]
        return sorted(found)


@dataclass(frozen=True)
class Again:
    """A folder that a link, or a mount, leads to a second time; it has not been entered again.

    Attributes:
        path: of the link.
        first: of the folder it leads to.
    """

    path: str
    first: str

    @property
    def is_loop(self) -> bool:
        """Whether it leads to a folder that it lies in."""
        return self.first in ("", "..") or self.path.startswith(f"{self.first}/")


class Places(Protocol):
    """Where the files of a tree lie, if not below a directory of this machine."""

    def source(self, path: str) -> bytes:
        """What a reader needs for one of them."""

    def stamps(self, paths: Sequence[str]) -> Iterable[tuple[int, int | str]]:
        """Size and version of each; -1 where there is none any more."""


@dataclass(frozen=True)
class Tree:
    """All that the walk has found.

    Attributes:
        root: the directory, absolute; or an address.
        top: the directory as a folder.
        ignored: what was left out by its name or kind.
        unreadable: samples by their names that no file stands behind, or an empty one.
        again: links to folders that have been read already.
        dangling: links to nothing that may have been folders.
        beside: folders with samples beside the directory, looked for where it holds samples and no folders.
        places: of the files, where they lie in a store.
    """

    root: str
    top: Folder
    ignored: tuple[Ignored, ...] = ()
    unreadable: tuple[Ignored, ...] = ()
    again: tuple[Again, ...] = ()
    dangling: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    places: Places | None = None

    def passed_over(self) -> Tally:
        """All that is no sample of its own: what was left out, and links to folders that have been read already."""
        tally = Tally(self.ignored)
        for link in self.again:
            reason = "link that leads back" if link.is_loop else "link to a folder read before"
            tally.add(reason, printable(link.path))
        return tally

    def at(self, path: str) -> str:
        """The absolute path of something in it, for people and for opening."""
        return os.path.join(self.root, path) if path else self.root


def join(parent: str, name: str) -> str:
    """A path relative to the directory."""
    return f"{parent}/{name}" if parent else name
