"""Characters that a reader does not see, or takes for others. Regular expressions first: plain ASCII costs nothing.

What the characters do to a classifier is measured in docs/benchmarks.md (a tenth of the recall is left of a filter for
spam when its words are written in full-width letters). Which characters look alike: a selection of Unicode's
confusables (UTS 39), Cyrillic, Greek and Armenian letters that are drawn as Latin ones.
"""

import re
from functools import cache
from typing import Any

_CYRILLIC = dict(zip("асеорхуіјѕԁһԛԝАВЕЗІЈКМНОРЅТХУ", "aceopxyijsdhqwABE3IJKMHOPSTXY", strict=True))
_GREEK = dict(zip("οΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oABEZHIKMNOPTYX", strict=True))
_ARMENIAN = dict(zip("օսոհցզ", "ounhgq", strict=True))
LOOK_ALIKES = str.maketrans({**_CYRILLIC, **_GREEK, **_ARMENIAN})
"""Letters of other scripts, and the Latin letters that they are drawn as."""

_LATIN = "A-Za-z\u00c0-\u024f"
_TWINS = "".join(map(chr, LOOK_ALIKES))
# A Cyrillic letter beside a Latin one is suspicious whichever it is; Greek ones stand in formulas (Δt, μm, kΩ).
_FOREIGN = f"\u0400-\u04ff{''.join([*_GREEK, *_ARMENIAN])}"
# A mixed word has a place where the script changes, so words need not be walked through from each of their letters.
_MIXED = re.compile(f"[{_LATIN}][\\d_]*[{_FOREIGN}]|[{_FOREIGN}][\\d_]*[{_LATIN}]")
_TWIN = re.compile(f"[{_TWINS}]")
_WORD = re.compile(r"\w+")
_IS_LATIN = re.compile(f"[{_LATIN}]")
_UNMISTAKABLE = re.compile(f"(?![{_TWINS}])[\u0370-\u03ff\u0400-\u04ff\u0530-\u058f]")

# Full-width digits and letters, and the mathematical alphabets: NFKC writes them plainly.
_DRESSED = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7ff]")

# Joiners are part of the writing of Persian and Indian languages, and of emoji, but of no Latin word.
_ZERO_WIDTH = "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u2060-\u2064\u206a-\u206f\u3164\ufeff\ufff9-\ufffb\uffa0"
_BIDI = "\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f"
_TAGS = "\U000e0001\U000e0020-\U000e007f"
_JOINER = f"(?<=[{_LATIN}])[\u200c\u200d]|[\u200c\u200d](?=[{_LATIN}])"
_INVISIBLE = re.compile(f"[{_ZERO_WIDTH}{_BIDI}{_CONTROLS}{_TAGS}]|{_JOINER}")

_REPLACEMENT = re.compile("\ufffd|[\x80-\x84\x86-\x9f]")


def has_invisible(text: str) -> bool:
    """Whether it holds control, zero-width, bidirectional or tag characters."""
    return _INVISIBLE.search(text) is not None


def without_invisible(text: str) -> str:
    """The text without them."""
    return _INVISIBLE.sub("", text)


def has_look_alikes(text: str) -> bool:
    """Whether a word mixes Latin letters with such that are drawn like them, or is written in letters of full width."""
    if text.isascii():
        return False
    return _MIXED.search(text) is not None or _DRESSED.search(text) is not None


def with_latin_letters(text: str) -> str:
    """The text with look-alikes mapped in words that hold a Latin letter.

    Words made of look-alikes alone are mapped too, unless the text holds words that are really of another script.
    """
    if text.isascii() or _TWIN.search(text) is None:
        return text
    foreign = any(_UNMISTAKABLE.search(word) and not _IS_LATIN.search(word) for word in _WORD.findall(text))

    def latin(found: re.Match[str]) -> str:
        word = found[0]
        plain = _IS_LATIN.search(word) or not (foreign or _UNMISTAKABLE.search(word))
        return word.translate(LOOK_ALIKES) if plain else word

    return _WORD.sub(latin, text)


def is_damaged(text: str) -> bool:
    """Whether it was decoded wrongly: replacement characters, control characters of Latin-1, or `fÃ¼r` for `für`."""
    if text.isascii():
        return False
    return _REPLACEMENT.search(text) is not None or bool(_ftfy().badness.is_bad(text))


def with_encoding_repaired(text: str) -> str:
    """The text as it was before it was decoded wrongly, where that can be told (Speer, ftfy)."""
    return text if text.isascii() else str(_ftfy().fix_encoding(text))


@cache
def _ftfy() -> Any:
    """Imported where a text needs it."""
    import ftfy.badness

    return ftfy
