"""Reads the names below a directory: no file is opened, links are followed, and no folder is entered twice."""

import contextlib
import errno
import itertools
import os
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graft.core.errors import DataError, GraftError
from graft.core.passing_errors import is_used_up, used_up
from graft.data.contents.packed import Texts
from graft.data.folders.paths import SampleFiles, is_named_by, printable
from graft.data.folders.system_names import any_hidden, is_system_file, is_system_folder
from graft.data.folders.tree import Again, Folder, Tree, join
from graft.data.overview import Progress, Tally

DANGLING = "dangling link"
SPECIAL = "not a regular file"
EMPTY = "empty file"
ELSEWHERE = "not downloaded from iCloud"

_PROGRESS_EVERY = 1000
_SUFFIX = re.compile(r"\.[a-z][a-z0-9_+-]{0,9}")
_OF_ICLOUD = ".icloud"
_NOTHING_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_LOOKED_AT = 200
_ABOVE = ".."
"""Where a link leads that leaves the directory upwards."""


def walk(root: Path, samples: SampleFiles, ignore: Sequence[str] = (), progress: Progress | None = None) -> Tree:
    """All names below a directory.

    Args:
        root: the directory, absolute.
        samples: which files are samples.
        ignore: names and paths that the user leaves out.
        progress: told now and then how many samples have been found.

    Raises:
        DataError: a folder that is not left out cannot be read.
        ResourceError: the machine has no memory or file handles left.
    """
    return _Walk(str(root), samples, ignore, progress).tree()


def reason_left_out(path: str, ignore: Sequence[str], is_folder: Callable[[], bool]) -> str:
    """Why something is left out by its name, whatever it holds; empty if it is not.

    Args:
        path: relative to the directory.
        ignore: names and paths that the user leaves out.
        is_folder: whether it is one; asked only where that decides.
    """
    name = path.rpartition("/")[2]
    if is_named_by(ignore, path):
        return "data.ignore"
    if is_system_folder(name) and is_folder():
        return "system folder"
    if is_system_file(name) and not is_folder():
        return "system file"
    return "hidden" if name.startswith(".") else ""


def suffix_reason(name: str) -> str:
    """Why a file is no sample, by the end of its name."""
    suffix = os.path.splitext(name)[1].lower()
    if not suffix:
        return "no suffix"
    return f"suffix {suffix}" if _SUFFIX.fullmatch(suffix) else "unusual suffix"


@dataclass
class _Found:
    """What one folder holds; `names` of samples are packed when all are known."""

    names: list[str] = field(default_factory=list)
    samples: Texts = field(default_factory=Texts)
    broken: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: int = 0


class _Walk:
    def __init__(self, root: str, samples: SampleFiles, ignore: Sequence[str], progress: Progress | None) -> None:
        self._root, self._samples, self._ignore, self._progress = root, samples, ignore, progress
        self._tally, self._unreadable = Tally(), Tally()
        self._seen = _identities_above(root)
        self._again: list[Again] = []
        self._dangling: list[str] = []
        self._count = 0

    def tree(self) -> Tree:
        order: list[str] = []
        found: dict[str, _Found] = {}
        waiting, by_links = [""], deque[str]()
        while waiting or by_links:
            # Links come last, so that a folder is known by its own name if it has one here.
            path = waiting.pop() if waiting else by_links.popleft()
            if self._is_new(path):
                order.append(path)
                found[path] = self._scan(path)
                inside = [join(path, name) for name in found[path].folders]
                waiting += [one for one in reversed(inside) if not os.path.islink(self._at(one))]
                by_links += [one for one in inside if os.path.islink(self._at(one))]
        folders: dict[str, Folder] = {}
        for path in reversed(order):  # what lies in a folder stands behind it
            folders[path] = _folder(path, found[path], folders)
        if self._progress is not None:
            self._progress(self._count)
        top = folders[""]
        beside = _folders_beside(self._root, self._samples) if top.samples and not top.filled else ()
        return Tree(
            self._root,
            top,
            self._tally.result(),
            self._unreadable.result(),
            tuple(self._again),
            tuple(self._dangling),
            beside,
        )

    def _is_new(self, path: str) -> bool:
        """Whether a folder has not been entered by another way, or lies above the directory."""
        try:
            status = os.stat(self._at(path))
        except OSError as error:
            raise _cannot_read(self._at(path), error) from error
        identity = (status.st_dev, status.st_ino)
        if path and identity in self._seen:
            self._again.append(Again(path, self._seen[identity]))
            return False
        self._seen[identity] = path
        return True

    def _scan(self, path: str) -> _Found:
        found = _Found()
        with _opened(self._at(path)) as folder:  # a stat from there takes a fifth less than by the whole path
            with os.scandir(folder) as entries:
                there = sorted(self._take_samples(iter(entries), path, found), key=_name)
            for entry in there:
                self._sort(entry, join(path, entry.name), found)
        found.samples.extend(sorted(found.names))
        found.names = []
        return found

    def _take_samples(
        self, entries: "Iterator[os.DirEntry[str]]", path: str, found: _Found
    ) -> "Iterator[os.DirEntry[str]]":
        """Note the regular files that are samples and hold a byte; yield all that is anything else.

        Entries take 300 bytes each, names 60: of plain samples nothing else is kept. There are many of them, so that
        this calls as little as it can.
        """
        includes, names = self._samples.includes, found.names
        while some := list(itertools.islice(entries, _PROGRESS_EVERY)):
            before = len(names)
            may_be_left_out = bool(self._ignore) or any_hidden([entry.name for entry in some])
            for entry in some:
                name = entry.name
                if (
                    not includes(name)
                    or not entry.is_file(follow_symlinks=False)
                    or (may_be_left_out and reason_left_out(join(path, name), self._ignore, _no_folder))
                    or _is_empty(entry)
                ):
                    yield entry
                else:
                    names.append(name)
            self._note(len(names) - before)

    def _note(self, count: int) -> None:
        told = self._count // _PROGRESS_EVERY
        self._count += count
        if self._progress is not None and self._count // _PROGRESS_EVERY > told:
            self._progress(self._count)

    def _sort(self, entry: "os.DirEntry[str]", path: str, found: _Found) -> None:
        name = entry.name
        if self._is_elsewhere(entry, path):
            self._unreadable.add(ELSEWHERE, printable(path))
            found.broken.append(name)
            return
        reason = reason_left_out(path, self._ignore, lambda: _is_folder(entry))
        if reason:
            self._leave_out(entry, path, reason)
            return
        kind = _kind(entry, self._at(path))
        is_sample = self._samples.includes(name)
        if kind == "folder":
            found.folders.append(name)
        elif kind == "file" and not is_sample:
            found.others += 1
            self._tally.add(suffix_reason(name), printable(path))
        elif kind == "file" and not _is_empty(entry):
            found.names.append(name)
            self._note(1)
        elif is_sample and (kind == "file" or _has_suffix(name)):
            self._unreadable.add(EMPTY if kind == "file" else kind, printable(path))
            found.broken.append(name)
        else:
            self._tally.add(kind, printable(path))
            if kind == DANGLING and not _has_suffix(name):
                self._dangling.append(path)

    def _is_elsewhere(self, entry: "os.DirEntry[str]", path: str) -> bool:
        """Whether `.photo.jpg.icloud` stands for a sample that macOS has not downloaded."""
        meant = entry.name.removeprefix(".").removesuffix(_OF_ICLOUD)
        is_placeholder = len(meant) == len(entry.name) - len(_OF_ICLOUD) - 1 and _has_suffix(meant)
        return is_placeholder and self._samples.includes(meant) and not is_named_by(self._ignore, path)

    def _leave_out(self, entry: "os.DirEntry[str]", path: str, reason: str) -> None:
        """Count the files in a folder that is left out; links in it are not followed, and what is closed is passed."""
        if not entry.is_dir(follow_symlinks=False):
            self._tally.add(reason, printable(path))
            return
        for parent, _, names in os.walk(self._at(path)):
            for name in sorted(names):
                self._tally.add(reason, printable(os.path.relpath(os.path.join(parent, name), self._root)))

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path) if path else self._root


def _name(entry: "os.DirEntry[str]") -> str:
    return entry.name


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    """A folder to read; what fails in it is told with its path."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield folder
        finally:
            os.close(folder)
    except OSError as error:
        raise _cannot_read(path, error) from error


def _kind(entry: "os.DirEntry[str]", path: str) -> str:
    """A folder, a file, or why it is neither."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        os.stat(path)
    except OSError as error:
        if entry.is_symlink() and error.errno in _NOTHING_THERE:
            return DANGLING
        raise _cannot_read(path, error) from error
    return SPECIAL


def _is_empty(entry: "os.DirEntry[str]") -> bool:
    """Whether a file has no bytes; of one that is gone, who reads it says so."""
    try:
        return entry.stat().st_size == 0
    except OSError:
        return False


def _no_folder() -> bool:
    return False


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _has_suffix(name: str) -> bool:
    return bool(_SUFFIX.fullmatch(os.path.splitext(name)[1].lower()))


def _folder(path: str, found: _Found, known: dict[str, Folder]) -> Folder:
    inside = tuple(known[join(path, name)] for name in found.folders if join(path, name) in known)
    count = len(found.samples) + sum(folder.count for folder in inside)
    return Folder(path, found.samples, tuple(found.broken), found.others, inside, count)


def _folders_beside(root: str, samples: SampleFiles) -> tuple[str, ...]:
    """Names of the folders beside a directory that hold samples; only the first names in each are looked at."""
    beside = []
    try:
        with os.scandir(os.path.dirname(root)) as entries:
            for entry in itertools.islice(entries, _LOOKED_AT):
                is_other = entry.path != root and not entry.name.startswith(".") and not is_system_folder(entry.name)
                if is_other and _is_folder(entry) and _has_sample(entry.path, samples):
                    beside.append(entry.name)
    except OSError:  # no business of ours: it is only looked at for a better message
        return ()
    return tuple(sorted(beside))


def _has_sample(path: str, samples: SampleFiles) -> bool:
    with os.scandir(path) as entries:
        return any(
            samples.includes(one.name) and _has_suffix(one.name) for one in itertools.islice(entries, _LOOKED_AT)
        )


def _identities_above(root: str) -> dict[tuple[int, int], str]:
    """Of the folders that the directory lies in: a link to one of them would lead back."""
    seen = {}
    for parent in Path(os.path.realpath(root)).parents:
        found = os.stat(parent)
        seen[found.st_dev, found.st_ino] = _ABOVE
    return seen


def _cannot_read(path: str, error: OSError) -> GraftError:
    if is_used_up(error):
        return used_up(path, error)
    return DataError(f"{path} cannot be read ({error.strerror}); check its permissions")
