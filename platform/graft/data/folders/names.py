"""A tree of folders from a list of names, as a store gives it: the rules of `walk` without a disk."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from graft.data.contents.packed import Texts
from graft.data.folders.paths import SampleFiles, printable
from graft.data.folders.tree import Folder, Places, Tree, join
from graft.data.folders.walk import EMPTY, reason_left_out, suffix_reason
from graft.data.overview import Progress, Tally

_PROGRESS_EVERY = 1000
_STRANGE = "name that is no path"


@dataclass
class _Found:
    """What one folder holds."""

    samples: Texts = field(default_factory=Texts)
    broken: list[str] = field(default_factory=list)
    others: int = 0
    folders: dict[str, "_Found"] = field(default_factory=dict)


class NamedTree:
    """Sorts the names below an address, as they come.

    Args:
        samples: which files are samples.
        ignore: names and paths that the user leaves out.
        progress: told now and then how many samples have been found.
    """

    def __init__(self, samples: SampleFiles, ignore: Sequence[str], progress: Progress | None) -> None:
        self._samples, self._ignore, self._progress = samples, ignore, progress
        self._tally, self._unreadable, self._top, self._count = Tally(), Tally(), _Found(), 0

    def add(self, path: str, is_folder: bool = False, size: int = -1) -> bool:
        """Sort a name; whether it is a sample. Of what has no bytes, by its `size`, none can be read."""
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            self._tally.add(_STRANGE, printable(path))
            return False
        reason = self._left_out(parts, is_folder)
        if reason:
            if not is_folder:
                self._tally.add(reason, printable(path))
            return False
        folder = self._top
        for part in parts if is_folder else parts[:-1]:
            folder = folder.folders.setdefault(part, _Found())
        return not is_folder and self._sort(folder, parts[-1], path, size)

    def tree(self, root: str, places: Places) -> Tree:
        """All that has been added.

        Args:
            root: the address, for people.
            places: of the files.
        """
        if self._progress is not None:
            self._progress(self._count)
        return Tree(root, _folder("", self._top), self._tally.result(), self._unreadable.result(), places=places)

    def _left_out(self, parts: Sequence[str], is_folder: bool) -> str:
        """Why a name, or a folder above it, is left out."""
        for end in range(1, len(parts) + 1):
            is_inner = is_folder or end < len(parts)
            reason = reason_left_out("/".join(parts[:end]), self._ignore, partial(bool, is_inner))
            if reason:
                return reason
        return ""

    def _sort(self, folder: _Found, name: str, path: str, size: int) -> bool:
        if not self._samples.includes(name):
            folder.others += 1
            self._tally.add(suffix_reason(name), printable(path))
            return False
        if size == 0:
            folder.broken.append(name)
            self._unreadable.add(EMPTY, printable(path))
            return True
        folder.samples.append(name)
        self._count += 1
        if self._progress is not None and self._count % _PROGRESS_EVERY == 0:
            self._progress(self._count)
        return True


def _folder(path: str, found: _Found) -> Folder:
    inside = tuple(_folder(join(path, name), found.folders[name]) for name in sorted(found.folders))
    count = len(found.samples) + sum(folder.count for folder in inside)
    return Folder(path, Texts(sorted(found.samples)), tuple(sorted(found.broken)), found.others, inside, count)
