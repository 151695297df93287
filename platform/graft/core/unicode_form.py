"""One way to compare names: a letter with its accent is one name, whichever way it was typed (Unicode NFC and NFD)."""

import difflib
import unicodedata
from collections.abc import Iterable

UNSEEN = dict.fromkeys(
    map(ord, "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
"""For `str.translate`: drops what is not seen: spaces of no width, marks of direction and of byte order, soft hyphens.
Joiners stay: they change how letters and emoji look."""
_LONGEST = 100


def composed(name: str) -> str:
    """A name in the form that names are kept and compared in, NFC; macOS writes file names in the other one."""
    return unicodedata.normalize("NFC", name)


def seen(name: str) -> str:
    """What a reader sees of a name: no characters without a shape, and one blank for all kinds of them."""
    return " ".join(composed(name).translate(UNSEEN).split())


def folded(name: str) -> str:
    """What two names share that a reader, or a file system that knows no case, takes for one."""
    return composed(seen(name).casefold())


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """The known name that another is most like, whatever its case; empty if none is near.

    Args:
        name: that nobody knows.
        known: the names there are.
        least: how like they must be, of 1.
    """
    plain = {folded(one[:_LONGEST]): one for one in known}
    near = difflib.get_close_matches(folded(name[:_LONGEST]), plain, n=1, cutoff=least)
    return plain[near[0]] if near else ""


def spelled_like(name: str, names: Iterable[str]) -> list[str]:
    """Those of the names that are this one, each as it is written there."""
    wanted = composed(name)
    return [other for other in names if composed(other) == wanted]
