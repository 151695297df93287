"""The files that a pattern of shards means: a directory, braces as in ``train-{0000..0063}.tar``, or wildcards."""

import fnmatch
import glob
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graft.core.errors import DataError
from graft.core.uris import advice_for_missing
from graft.data.contents.parts import StampedFile
from graft.data.folders.paths import printable
from graft.data.overview import Progress
from graft.data.remote.address import Address, is_remote
from graft.data.remote.here import file_here

_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_WILD = re.compile(r"[*?\[]")
_MOST = 100_000
SUFFIX = ".tar"


@dataclass(frozen=True)
class Shard:
    """An archive.

    Attributes:
        path: of the file, or of its copy.
        name: below the directory that the job names, for people; else of the file.
        facts: what tells it from others, and from what it was before.
    """

    path: Path
    name: str
    facts: tuple[str | int, ...]


def shards_of(path: Path | str, progress: Progress | None = None) -> list[Shard]:
    """The shards that a path means, in the order of the pattern, or sorted; those of a store are copied.

    Raises:
        DataError: there is none, one of those that braces name is not there, or there are too many.
        ResourceError: the store they lie in cannot be used, or the disk has no room.
    """
    if is_remote(path):
        return [_copied(uri, name, progress) for uri, name in _in_store(path)]
    local = Path(path)
    return [Shard(one, _shown(one, local), tuple(StampedFile.of(one).to_list())) for one in _on_disk(local)]


def _copied(uri: str, name: str, progress: Progress | None) -> Shard:
    """Each by itself, so that the others need not be copied again when one is added."""
    with file_here(uri, progress) as here:
        return Shard(here.path, name, (uri, *here.stamp[0][1:]))


def _in_store(uri: str) -> Iterator[tuple[str, str]]:
    """Address and name of each shard."""
    from graft.data.remote.listing import contact, files_below  # its libraries take a second

    if _WILD.search(uri) or "{" in uri:
        for one in _all_expanded(uri):
            top, _, pattern = one.rpartition("/")
            names = [pattern]
            if _WILD.search(pattern):
                there = (entry.path for entry in files_below(Address.of(top)))
                names = sorted(name for name in there if "/" not in name and fnmatch.fnmatchcase(name, pattern))
                _require_some(one, names)
            yield from ((f"{top}/{name}", name) for name in names[:_MOST])
        return
    address = Address.of(uri)
    if address.is_web or not contact(address).is_folder:
        yield uri, uri.rpartition("/")[2]
        return
    found = sorted(entry.path for entry in files_below(address) if entry.path.endswith(SUFFIX))
    _require_shards(uri, found)
    yield from ((f"{uri}/{name}", name) for name in found)


def _on_disk(path: Path) -> list[Path]:
    text = str(path)
    if path.is_dir():
        found = sorted(one for one in path.rglob("*" + SUFFIX) if one.is_file())
        _require_shards(text, found)
        return found
    if path.exists() or not re.search(r"[{*?\[]", text):
        return [_require_file(path)]
    return [one for name in _all_expanded(text) for one in _matching(name)]


def _require_shards(path: str, found: list[Path] | list[str]) -> None:
    if not found:
        raise DataError(f"{path} holds no {SUFFIX} files, but must hold the shards; name their directory or pattern")


def _require_some(pattern: str, found: list[Path] | list[str]) -> None:
    if not found:
        raise DataError(f"data.path is {pattern}, but no file has such a name; check the pattern")


def _all_expanded(text: str) -> list[str]:
    names = list(itertools.islice(_expanded(text), _MOST + 1))
    if len(names) > _MOST:
        raise DataError(f"data.path is {text}, which means more than {_MOST} shards; name their directory")
    return names


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
    if not _WILD.search(name):
        return [_require_file(Path(name))]
    found = sorted(Path(one) for one in glob.iglob(name))
    _require_some(name, found)
    return [_require_file(one) for one in found[:_MOST]]


def _require_file(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"data.path names {path}, but there is nothing there; {advice_for_missing(path)}")
    if not path.is_file():
        raise DataError(f"data.path names {path}, but must name regular files; check the path")
    return path


def _shown(path: Path, root: Path) -> str:
    return printable(str(path.relative_to(root)) if root.is_dir() else path.name)
