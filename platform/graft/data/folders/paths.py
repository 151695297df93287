"""Paths as they are shown, matched and compared."""

import fnmatch
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graft.core.errors import DataError
from graft.core.unicode_form import composed
from graft.core.uris import advice_for_missing, user_path


@dataclass(frozen=True)
class SampleFiles:
    """Which files are samples.

    Attributes:
        noun: what they are called, plural.
        includes: whether a path is one by its name.
        named: how their names are, for messages ("as images", ".txt").
        foreign: why a file with such first bytes is none that can be read, to follow its name; empty if it may be one.
        beside: what to do about files beside them in which programs keep labels, by their suffix; with places for the
            `name` of one and its `path`.
    """

    noun: str
    includes: Callable[[str], bool]
    named: str
    foreign: Callable[[bytes], str]
    beside: Mapping[str, str] = field(default_factory=dict)


def printable(name: str) -> str:
    """Names that are not UTF-8 are shown with escapes; they could be stored in no text format as they are."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def size_and_time(path: str | bytes) -> tuple[int, int]:
    """Bytes and time of change (ns) of a file; -1 where there is none: who reads it will say so and quarantine it."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    if stat.S_ISDIR(found.st_mode):
        return -1, -1
    return found.st_size, found.st_mtime_ns


def require_directory(path: str | Path) -> Path:
    """The path, made absolute.

    Raises:
        DataError: it does not exist or is a file.
    """
    directory = user_path(path).absolute()
    if not directory.exists():
        raise DataError(f"data.path is {directory}, but there is nothing there; {advice_for_missing(directory)}")
    if not directory.is_dir():
        raise DataError(f"data.path is {directory}, but must be a directory, not a file; unpack it if it is an archive")
    return directory


def is_named_by(patterns: Sequence[str], path: str) -> bool:
    """Whether one of `data.ignore` names a path relative to the data's directory.

    A pattern without a slash is of a name at any depth, one with a slash of a whole path; ``/a`` is an `a` at the top.
    """
    return any(_matches(pattern, path) for pattern in patterns)


def _matches(pattern: str, path: str) -> bool:
    wanted = pattern.removeprefix("./").rstrip("/")
    parts = path.split("/") if "/" in wanted else [path.rpartition("/")[2]]
    named = wanted.removeprefix("/").split("/")
    return len(parts) == len(named) and all(map(fnmatch.fnmatchcase, map(composed, parts), map(composed, named)))
