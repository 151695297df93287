"""Paths as the URIs that libraries take, quoted by the rules of each; and paths that stay where they belong."""

import errno
import itertools
import os
import re
import urllib.parse
from pathlib import Path

from graft.core.errors import ArtifactError, SpecError
from graft.core.unicode_form import composed, nearest

# As SQLAlchemy reads one: its driver, a host (which SQLite has not), the path, options.
_SQLITE = re.compile(r"sqlite(?:\+\w+)?://(?P<host>[^/?]*)(?:/(?P<path>[^?]*))?(?:\?(?P<options>.*))?", re.DOTALL)

REMOTE_SCHEMES = ("s3", "gs", "abfs", "hf", "http", "https")
"""Of the stores that data can be read from."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
# What a `Path` makes of an address.
_LOST = re.compile(r"(?:s3|gs|gcs|abfs|az|hf|https?|file|folder):/[^/]")
_WILD = frozenset("*?")
_VARIABLE = re.compile(r"\$\w|\$\{|%\w+%")
_AROUND_NAMES = " \t\"'“”‘’"
_MOST_NAMES, _ALIKE = 1000, 0.75


def lost_scheme(path: str | Path) -> bool:
    """Whether a path was an address before somebody made a `Path` of it."""
    return _LOST.match(str(path)) is not None


def scheme_of(path: str | Path) -> str:
    """The scheme of an address, in lower case; empty for a path of this machine."""
    found = _SCHEME.match(path) if isinstance(path, str) else None
    return found[1].lower() if found else ""


def local_path(text: str | Path, what: str) -> Path:
    """A path of this machine, where no store can be written to.

    Args:
        text: as the user has it.
        what: it is, for the message.

    Raises:
        SpecError: it is an address.
    """
    if scheme_of(str(text)) or lost_scheme(text):
        raise SpecError(f"{what} is {text}, but must be a path of this machine; write it here, and copy it there")
    return Path(text)


def user_path(named: str | Path) -> Path:
    """A path as a user has it; ``~`` is the home directory, and a name as others are where something is called so.

    Raises:
        SpecError: it begins with a home directory that is not known: of another user, or where nobody has one.
    """
    path = Path(os.path.expanduser(named))
    first = path.parts[0] if path.parts else ""
    if first.startswith("~") and not os.path.lexists(first):
        raise SpecError(f"{named} begins with `{first}`, whose home directory is not known; write the path in full")
    return path


def is_there(path: Path) -> bool:
    """Whether there is something at a path; nothing can be at one that is too long.

    Raises:
        OSError: nobody can tell, for lack of a permission.
    """
    try:
        return path.exists()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def advice_for_missing(path: Path) -> str:
    """What to do about a path at which there is nothing: the path that may be meant, or the part that is wrong."""
    if _WILD & {*str(path)}:
        return "patterns are not filled in there, so write the path in full"
    if _VARIABLE.search(str(path)):
        return "variables are not filled in there, so write the path in full"
    whole = path.absolute()
    there = next((parent for parent in whole.parents if parent.exists()), whole)
    wanted = whole.relative_to(there).parts[0] if there != whole else ""
    near = _nearest(wanted, there)
    if near and composed(near) == composed(wanted):
        return f"{there / near} looks the same, but is written with other Unicode characters; rename it"
    if near:
        return f"did you mean {there / near}?"
    return "check the path" if there == whole.parent else f"check the path from {there} on, which is there"


def _nearest(wanted: str, directory: Path) -> str:
    """The name in a directory that is most like another; empty if none is."""
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MOST_NAMES)]
    except OSError:  # it is only looked at for a better message
        return ""
    return nearest(wanted.strip(_AROUND_NAMES), names, _ALIKE)


def file_uri(path: Path) -> str:
    """A path as ``file:`` URI."""
    return path.absolute().as_uri()


def sqlite_uri(path: Path, read_only: bool = False) -> str:
    """The SQLAlchemy URL of a SQLite file; what is between ``///`` and ``?`` is percent-decoded there.

    Args:
        path: the file.
        read_only: give the URI that SQLite itself takes (``sqlite3.connect(…, uri=True)``) to open it for reading only.
    """
    if read_only:
        return f"{file_uri(path)}?mode=ro"
    plain = str(path.absolute())
    quoted = urllib.parse.quote(plain)
    # MLflow makes the directory of what follows a bare `sqlite:///` before it is decoded: a second, misspelt home.
    return f"sqlite{'' if quoted == plain else '+pysqlite'}:///{quoted}"


def sqlite_path(uri: str) -> Path | None:
    """The file that a SQLAlchemy URL of SQLite names; None if it is the URL of something else.

    The path is relative if the URL's is, and empty for a database in memory.
    """
    found = _SQLITE.fullmatch(uri)
    if found is None:
        return None
    path = urllib.parse.unquote(found["path"] or "")
    return Path("" if path == ":memory:" else path)


def sqlite_extras(uri: str) -> tuple[str, str]:
    """Host and options of a SQLAlchemy URL of SQLite; empty if it has none."""
    found = _SQLITE.fullmatch(uri)
    return (found["host"], found["options"] or "") if found else ("", "")


def inside(root: Path, *parts: str) -> Path:
    """A path below `root`, links and ``..`` followed.

    Raises:
        ArtifactError: it would lie elsewhere.
    """
    path = root.joinpath(*parts)
    if not path.resolve().is_relative_to(root.resolve()):
        raise ArtifactError(f"{'/'.join(parts)} leads out of {root} to {path.resolve()}, but must stay in it")
    return path
