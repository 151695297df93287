"""One way to compare names: a letter with its accent is one name, whichever way it was typed (Unicode NFC and NFD)."""

import unicodedata
from collections.abc import Iterable


def composed(name: str) -> str:
    """A name in the form that names are kept and compared in, NFC; macOS writes file names in the other one."""
    return unicodedata.normalize("NFC", name)


def folded(name: str) -> str:
    """What two names share that a reader, or a file system that knows no case, takes for one."""
    return composed(composed(name).casefold())


def spelled_like(name: str, names: Iterable[str]) -> list[str]:
    """Those of the names that are this one, each as it is written there."""
    wanted = composed(name)
    return [other for other in names if composed(other) == wanted]
