"""All names below the place where a user's data are, on this machine or in a store."""

from collections.abc import Sequence
from pathlib import Path

from graft.data.folders.names import NamedTree
from graft.data.folders.paths import SampleFiles, require_directory
from graft.data.folders.tree import Tree
from graft.data.folders.walk import walk
from graft.data.overview import Progress
from graft.data.remote.address import is_remote


def look_below(
    path: Path | str, samples: SampleFiles, ignore: Sequence[str] = (), progress: Progress | None = None
) -> Tree:
    """All names below a directory of this machine, or below an address.

    Raises:
        DataError: there is nothing there, or it is no directory.
        ResourceError: a store lacks credentials, or cannot be reached.
    """
    if is_remote(path):
        from graft.data.remote.folders import look_below_address  # its libraries take a second

        return look_below_address(path, NamedTree(samples, ignore, progress))
    return walk(require_directory(path), samples, ignore, progress)
