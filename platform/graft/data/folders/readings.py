"""Messages about what can be read in two ways."""

import re
from collections.abc import Sequence

from graft.core.errors import DataError
from graft.data.folders.paths import printable
from graft.data.folders.tree import Folder

_MOST_NAMED = 4
# Texts that YAML takes for texts without quotes.
_PLAIN = re.compile(r"(?:[^\W\d]|/)(?:[\w /.()+@=%~-]*[\w/.()+@=%~-])?")
_WORDS_OF_YAML = frozenset({"true", "false", "null"})


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
    """A folder by its name."""
    return printable(folder.name)


def ignoring(paths: Sequence[str]) -> str:
    """What to write to leave names, or paths in the directory, out; a job file can hold it as it is."""
    shown = [in_yaml(pattern_of(path)) for path in paths[:_MOST_NAMED]]
    return f"data.ignore: [{', '.join(shown)}{', …' if len(paths) > _MOST_NAMED else ''}]"


def pattern_of(path: str) -> str:
    """As `data.ignore` names something: what means other letters there is put in brackets, what no file of text can
    hold is any letter."""
    return "".join(f"[{one}]" if one in "*?[" else one if one.isprintable() else "?" for one in path)


def in_yaml(text: str) -> str:
    """A text as a job file has it: in quotes, where YAML would take it for something else."""
    shown = printable(text)
    is_plain = _PLAIN.fullmatch(shown) and shown.lower() not in _WORDS_OF_YAML
    return shown if is_plain else "'" + shown.replace("'", "''") + "'"
