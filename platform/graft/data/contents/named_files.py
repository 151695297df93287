"""The files that a column of a table names: with their paths, or by names and stems of files in a folder beside it."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.core.uris import advice_for_missing
from graft.data.contents.beside import file_beside
from graft.data.folders.paths import printable
from graft.data.folders.system_names import is_system_folder
from graft.data.remote.address import is_remote_source
from graft.data.splits.names import split_within

_LOOKED_AT = 200
_SHARE_FOUND = 0.9
_MOST_FOLDERS = 64
"""In one directory: where there are more, they are classes or persons, and no place of all files."""
_DEEP = 2


@dataclass(frozen=True)
class NamedFiles:
    """Where the files lie that a table names.

    Attributes:
        table: its path; or its address in a store, where every name is a path.
        is_sample: whether a file is a sample by its name.
        directory: where the user says that names start; None to look for them.
    """

    table: Path | str
    is_sample: Callable[[str], bool]
    directory: Path | str | None = None

    def paths(self, cells: Sequence[bytes]) -> list[bytes]:
        """The file of each cell, which need not be there; empty for an empty cell.

        Raises:
            DataError: names are found in several folders, or several files have one stem.
        """
        folder = self.folder(cells)
        found = folder.files if folder is not None else {}
        beside = self._start
        return [b"" if not cell else found.get(_key(cell)) or file_beside(beside, cell) for cell in cells]

    def are_any(self) -> bool:
        """Whether there are samples at all where names are looked for."""
        return any(one.files for one in self._folders)

    def folder(self, cells: Sequence[bytes]) -> "Folder | None":
        """The folder whose files the cells name without their paths; None where they are paths.

        Raises:
            DataError: they may be those of several folders.
        """
        if isinstance(self.table, str) or isinstance(self.directory, str):
            return None
        some = [cell for cell in cells[:: max(1, len(cells) // _LOOKED_AT)] if cell]
        if not some or any(is_remote_source(cell) for cell in some):
            return None
        if sum(os.path.isfile(file_beside(self._start, cell)) for cell in some) > (1 - _SHARE_FOUND) * len(some):
            return None
        keys = [_key(cell) for cell in some]
        holding = [one for one in self._folders if one.share_of(keys) >= _SHARE_FOUND]
        chosen = self._chosen(holding) if holding else None
        if chosen is not None:
            chosen.require_one_each(keys)
        return chosen

    @property
    def _start(self) -> Path | str:
        """A path in the directory that names start from, as `file_beside` takes it."""
        if self.directory is None:
            return self.table
        return self.directory / "_" if isinstance(self.directory, Path) else f"{self.directory}/_"

    @cached_property
    def _folders(self) -> list["Folder"]:
        root = self.directory or self.table.parent if isinstance(self.table, Path) else None
        assert isinstance(root, Path)
        if not root.is_dir():
            raise DataError(f"data.directory is {root}, but there is no such directory; {advice_for_missing(root)}")
        paths = (root,) if self.directory is not None else (root, *_below(root, _DEEP))
        once = {os.path.realpath(path): path for path in reversed(paths)}  # of links to a folder, the folder
        return [Folder(path, self.is_sample) for path in reversed(once.values())]

    def _chosen(self, holding: Sequence["Folder"]) -> "Folder":
        """The only one, or the only one of the split that the table speaks of."""
        assert isinstance(self.table, Path)
        split = split_within(self.table.stem)
        alike = [one for one in holding if split is not None and split_within(one.path.name) == split]
        for some in (holding, alike):
            if len(some) == 1:
                return some[0]
        names = [printable(os.path.relpath(one.path, self.table.parent)) for one in holding]
        raise DataError(
            f"{self.table.name} names files that lie in {' and in '.join(f'`{name}`' for name in names[:4])}; say "
            f"which are meant, as in `data: {{directory: {names[0]}}}`"
        )


@dataclass(frozen=True)
class Folder:
    """A folder of samples.

    Attributes:
        path: of it.
        is_sample: whether a file is one by its name.
    """

    path: Path
    is_sample: Callable[[str], bool]

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """Paths of its files, by their names and by their stems."""
        return {**{stem: paths[0] for stem, paths in self._stems.items()}, **self._names}

    def share_of(self, keys: Sequence[str]) -> float:
        """How many of some names and stems are those of its files."""
        return sum(key in self.files for key in keys) / len(keys)

    def require_one_each(self, keys: Sequence[str]) -> None:
        """Check that stems are clear.

        Raises:
            DataError: two files have one stem.
        """
        for key in keys:
            paths = self._stems.get(key, [])
            if key not in self._names and len(paths) > 1:
                first, second, *_ = sorted(printable(os.path.basename(os.fsdecode(path))) for path in paths)
                raise DataError(
                    f"`{key}` may be `{first}` or `{second}` of {self.path}; write names with their suffixes in the "
                    "table, or move the others away"
                )

    @cached_property
    def _names(self) -> Mapping[str, bytes]:
        try:
            names = [name for name in os.listdir(self.path) if os.path.splitext(name)[1] and self.is_sample(name)]
        except OSError:  # what cannot be read holds nothing that could be found
            return {}
        return {_key(os.fsencode(name)): os.fsencode(self.path / name) for name in names}

    @cached_property
    def _stems(self) -> Mapping[str, list[bytes]]:
        stems: dict[str, list[bytes]] = {}
        for name, path in self._names.items():
            stems.setdefault(os.path.splitext(name)[0], []).append(path)
        return stems


def _below(root: Path, depth: int) -> Iterator[Path]:
    """The folders in a directory, and those in them, as long as they are few."""
    try:
        with os.scandir(root) as entries:
            found = sorted(one.name for one in entries if not _is_left_out(one.name) and _is_folder(one))
    except OSError:  # what cannot be read holds nothing that could be found
        return
    if len(found) > _MOST_FOLDERS:
        return
    for name in found:
        yield root / name
        if depth > 1:
            yield from _below(root / name, depth - 1)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or is_system_folder(name)


def _key(name: bytes) -> str:
    """A name as it is compared: in one form of its accents, without blanks around it."""
    return composed(os.fsdecode(name).strip())
