"""One way to compare names: a letter with its accent is one name, whichever way it was typed (Unicode NFC and NFD)."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

UNSEEN = dict.fromkeys(
    map(ord, "\u00ad\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")
)
"""For `str.translate`: drops what is not seen: spaces of no width, marks of direction and of byte order, soft hyphens.
Joiners stay: they change how letters and emoji look."""
_LONGEST = 100
# Letters of other alphabets that a keyboard gives for the Latin ones that they look like.
_LATIN = str.maketrans(
    "\u0430\u0432\u0435\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445\u0456\u0458\u0455"
    "\u03b1\u03b2\u03b5\u03ba\u03b9\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7",
    "abekmhopctyxijs" + "abekivoptux",
)
_JOINT = re.compile(r"(?<=\w)(?:\s|_|[-\u2010-\u2013])+(?=\w)")
_LETTERS_OF_A_WORD = 2
"""At least."""


def composed(name: str) -> str:
    """A name in the form that names are kept and compared in, NFC; macOS writes file names in the other one."""
    return unicodedata.normalize("NFC", name)


def seen(name: str) -> str:
    """What a reader sees of a name: no characters without a shape, and one blank for all kinds of them."""
    return " ".join(composed(name).translate(UNSEEN).split())


def folded(name: str) -> str:
    """What two names share that a reader, or a file system that knows no case, takes for one."""
    return composed(seen(name).casefold())


def alike(name: str) -> str:
    """What names share that were meant as one, and typed in several ways.

    With a blank, a hyphen or a low line between their words, in letters of double width, or with a letter of another
    alphabet. A letter alone is meant as it is: there are sets of letters.
    """
    plain = folded(name)
    if len(plain) < _LETTERS_OF_A_WORD:
        return plain
    return _JOINT.sub(" ", folded(unicodedata.normalize("NFKC", plain))).translate(_LATIN)


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
