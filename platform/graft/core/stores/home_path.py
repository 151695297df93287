"""Paths below a node's copy of a home that mean the same file on every node.

A path that is pickled on one node and opened on another must not name the first one's directory. One that was derived
from the root of a copy travels as the address of the home and what stands behind the root, and arrives as the path in
the copy of the node that unpickles it. Homes that are directories have ordinary paths.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from graft.core.errors import ArtifactError, ResourceError
from graft.core.private_files import make_private_directory
from graft.core.stores.address import HomeAddress
from graft.core.uris import user_path

MARKER = ".graft-home.json"
COPIES = "GRAFT_COPIES"
"""Environment variable: the directory of a node in which copies of homes lie."""


class HomePath(type(Path())):  # type: ignore[misc]  # the path class of this system, as is usual for subclasses
    """A path below the root of a copy; so are all that are derived from it with `/`, `parent`, `with_name`."""

    def __reduce__(self) -> Any:
        root = copy_root(self)
        if root is None:
            return Path, (str(self),)
        return path_here, (address_of(root), self.relative_to(root).as_posix())


def copies_directory() -> Path:
    """Where this node keeps copies of homes: ``GRAFT_COPIES``, else below the user's cache directory."""
    named = os.environ.get(COPIES)
    if named:
        return user_path(named).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return user_path(cache).absolute() / "graft" / "homes"


def copy_of(address: HomeAddress) -> HomePath:
    """The root of this node's copy of a home, made if it is not there.

    Raises:
        ResourceError: it cannot be written.
    """
    digest = hashlib.sha256(f"{address.origin}\n{address}".encode()).hexdigest()[:16]
    root = HomePath(copies_directory() / digest)
    marker = root / MARKER
    try:
        if not marker.is_file():
            make_private_directory(root)
            scratch = root / f"{MARKER}.{os.getpid()}"
            scratch.write_text(json.dumps({"address": str(address)}) + "\n", encoding="utf-8")
            os.replace(scratch, marker)
    except OSError as error:
        raise ResourceError(
            f"{root} cannot be written ({error.strerror}), but this node's copy of {address} goes there; name another "
            f"directory with {COPIES}"
        ) from error
    return root


def is_copy(root: Path) -> bool:
    """Whether a directory is a copy of a home."""
    return (root / MARKER).is_file()


def copy_root(path: Path) -> Path | None:
    """The root of the copy that a path lies in; None for a path of a home that is a directory."""
    return next((one for one in (path, *path.parents) if is_copy(one)), None)


def address_of(root: Path) -> str:
    """The address of the home that a directory is a copy of.

    Raises:
        ArtifactError: its marker is damaged.
    """
    try:
        return str(json.loads((root / MARKER).read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{root / MARKER} cannot be read ({error}); delete {root}, which is a copy") from error


def path_here(address: str, relative: str) -> Path:
    """The path on this node of something in a home."""
    here: Path = copy_of(HomeAddress.of(address)) / relative
    return here


def located(text: str) -> Path:
    """A path that stands in a record, as one that can travel."""
    path = Path(text)
    return path if copy_root(path) is None else HomePath(path)
