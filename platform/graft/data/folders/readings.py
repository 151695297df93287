"""Messages about what can be read in two ways."""

from collections.abc import Sequence

from graft.core.errors import DataError
from graft.data.folders.paths import printable
from graft.data.folders.tree import Folder

_MOST_NAMED = 4


def either(found: str, first: str, say_first: str, second: str, say_second: str) -> DataError:
    """An error with both readings, and what to do for each."""
    return DataError(f"{found}: either {first} ({say_first}), or {second} ({say_second})")


def listed(names: Sequence[str]) -> str:
    """The first few names, for a sentence."""
    shown = list(names[:_MOST_NAMED])
    if len(names) > _MOST_NAMED:
        return f"{', '.join(shown)} and {len(names) - _MOST_NAMED} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def named(folder: Folder) -> str:
    """As `data.ignore` names it."""
    return printable(folder.name)
