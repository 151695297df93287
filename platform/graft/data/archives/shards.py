"""The files that a pattern of shards means: a directory, braces as in ``train-{0000..0063}.tar``, or wildcards."""

import glob
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from graft.core.errors import DataError

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_MOST = 100_000
SUFFIX = ".tar"


def shards_of(path: Path) -> list[Path]:
    """The shards that a path means, in the order of the pattern, or sorted.

    Raises:
        DataError: there is none, one of those that braces name is not there, or there are too many.
    """
    text = str(path)
    if path.is_dir():
        found = sorted(one for one in path.rglob("*" + SUFFIX) if one.is_file())
        if not found:
            raise DataError(
                f"{path} holds no {SUFFIX} files, but must hold the shards; name their directory or pattern"
            )
        return found
    if path.exists() or not re.search(r"[{*?\[]", text):
        return [_require_file(path)]
    names = list(itertools.islice(_expanded(text), _MOST + 1))
    if len(names) > _MOST:
        raise DataError(f"data.path is {text}, which means more than {_MOST} shards; name their directory")
    return [one for name in names for one in _matching(name)]


def _expanded(text: str) -> Iterator[str]:
    found = _BRACES.search(text)
    if found is None:
        yield text
        return
    for choice in _choices(found.group(1)):
        yield from _expanded(text[: found.start()] + choice + text[found.end() :])


def _choices(inside: str) -> Iterator[str]:
    span = _RANGE.fullmatch(inside)
    if span is None:
        yield from inside.split(",")
        return
    first, last = int(span.group(1)), int(span.group(2))
    width = len(span.group(1)) if span.group(1).startswith("0") or len(span.group(1)) == len(span.group(2)) else 0
    for number in range(first, last + 1):
        yield f"{number:0{width}d}"


def _matching(name: str) -> list[Path]:
    if not re.search(r"[*?\[]", name):
        return [_require_file(Path(name))]
    found = sorted(Path(one) for one in glob.iglob(name))
    if not found:
        raise DataError(f"data.path is {name}, but no file has such a name; check the pattern")
    return [_require_file(one) for one in found[:_MOST]]


def _require_file(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"data.path names {path}, but there is nothing there; check the path")
    if not path.is_file():
        raise DataError(f"data.path names {path}, but must name regular files; check the path")
    return path
