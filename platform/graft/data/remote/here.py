"""Files that must be read from a disk, such as tables: one of this machine as it is, one of a store as a copy.

The copy is made by `graft.data.remote.copies`, in the home's ``cache/remote``; this module imports nothing heavy.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from graft.core.storage import Home
from graft.data.overview import Progress
from graft.data.remote.address import is_remote

_HOME: ContextVar[Home | None] = ContextVar("home", default=None)


@dataclass(frozen=True)
class Here:
    """Files that can be opened.

    Attributes:
        path: of the file, or of the directory that the files are in.
        shown: what the user calls it.
        stamp: what tells the content from another's, plain values; empty for what lies on this machine.
    """

    path: Path
    shown: str
    stamp: tuple[tuple[str, int, str], ...] = ()


@contextmanager
def copies_in(home: Home) -> Iterator[None]:
    """Within the block, copies go to this home; else to the one that the environment names."""
    token = _HOME.set(home)
    try:
        yield
    finally:
        _HOME.reset(token)


def home_of_copies() -> Home:
    """Where copies go."""
    return _HOME.get() or Home.find()


def file_here(path: Path | str, progress: Progress | None = None) -> AbstractContextManager[Here]:
    """A file, wherever it lies; a `DataError` within the block names it as the user does.

    Args:
        path: as the job has it.
        progress: told now and then that something goes on.

    Raises (on entering):
        DataError: there is nothing at the address, or too much.
        ResourceError: there are no credentials, the store cannot be reached, or the disk has no room.
    """
    if not is_remote(path):
        return nullcontext(Here(Path(path), str(path)))
    from graft.data.remote.copies import file_copied

    return file_copied(path, progress)


def tree_here(
    path: Path | str, wanted: Callable[[str], bool], progress: Progress | None = None
) -> AbstractContextManager[Here]:
    """A directory with those files at any depth whose paths are wanted, wherever it lies; else as `file_here`.

    Args:
        path: of the directory, as the job has it.
        wanted: told a path below it, with slashes.
        progress: told now and then that something goes on.
    """
    if not is_remote(path):
        return nullcontext(Here(Path(path), str(path)))
    from graft.data.remote.copies import tree_copied

    return tree_copied(path, wanted, progress)


def files_here(
    path: Path | str, names: Sequence[str], progress: Progress | None = None
) -> AbstractContextManager[Here]:
    """A directory with those of some files that are there, wherever it lies; else as `file_here`.

    Args:
        path: of the directory, as the job has it.
        names: of the files that are wanted.
        progress: told now and then that something goes on.
    """
    if not is_remote(path):
        return nullcontext(Here(Path(path), str(path)))
    from graft.data.remote.copies import files_copied

    return files_copied(path, names, progress)
