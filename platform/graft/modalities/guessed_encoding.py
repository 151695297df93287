"""Which encoding texts are in that are no UTF-8: Western European, as far as what comes out reads so."""

import contextlib
import re
import unicodedata
from pathlib import Path

from graft.core.errors import DataError
from graft.data.tables.encoding import check_encoding, wide_encoding_of

WESTERN = "cp1252"
"""What nearly all texts are in that are not UTF-8."""

_START = 1 << 16
_MOST_ACCENTS = 0.25
"""Of the letters; no language that is written in Latin letters has as many."""
_OTHERS = ("shift_jis", "gbk", "big5", "euc_kr", "cp1251", "koi8_r", "cp1253", "cp1255", "cp1256")
_SCRIPTS = {
    "shift_jis": ("HIRAGANA", "KATAKANA", "CJK"),
    "gbk": ("CJK",),
    "big5": ("CJK",),
    "euc_kr": ("HANGUL",),
    "cp1251": ("CYRILLIC",),
    "koi8_r": ("CYRILLIC",),
    "cp1253": ("GREEK",),
    "cp1255": ("HEBREW",),
    "cp1256": ("ARABIC",),
}
_STRANGE = re.compile(r"\S*[^\x00-\x7f]\S*")
_SHOWN = 16


def encoding_of(path: Path) -> str:
    """UTF-8 if a table of text is, else what the file itself says, or cp1252 if what that makes of it reads so.

    Raises:
        DataError: it is no text, or one of another encoding; names those that it may be.
    """
    if wide := wide_encoding_of(path):
        return wide
    try:
        check_encoding(path, "utf-8")
    except DataError:
        start = start_of(path)
        with contextlib.suppress(DataError):
            check_encoding(path, WESTERN)
            if reads_western(start):
                return WESTERN
        require_known(start, str(path))
        with contextlib.suppress(DataError):
            check_encoding(path, WESTERN)
            return WESTERN
        raise
    return "utf-8"


def reads_western(start: bytes) -> bool:
    """Whether bytes that are no UTF-8 make letters in cp1252 of which few have accents."""
    text = start.decode(WESTERN, "replace")
    strange = sum(not one.isascii() for one in text)
    return strange <= _MOST_ACCENTS * max(sum(one.isalpha() or not one.isascii() for one in text), 1)


def require_known(start: bytes, what: str) -> None:
    """Ask which encoding bytes are in that make no sense as UTF-8 and as cp1252.

    Args:
        start: of a file, or of several.
        what: they are, for people.

    Raises:
        DataError: they make sense in others; names them.
    """
    if others := _others(start):
        shown = " or ".join(f"{name} (`{word}`)" for name, word in others.items())
        raise DataError(
            f"{what} is no UTF-8 text; by its letters it may be {shown}: write which, as in --set "
            f"data.encoding={next(iter(others))}, or save it as UTF-8"
        )


def told_guess(start: bytes, name: str) -> str:
    """What to say where bytes are read as cp1252; empty if none of the first is anything but ASCII."""
    found = _STRANGE.search(start.decode(WESTERN, "replace"))
    if found is None:
        return ""
    return (
        f"`{name}` is no UTF-8 text; it is read as {WESTERN}, which makes `{found[0][:_SHOWN]}` of its first letters "
        "with accents (--set data.encoding=… if that is wrong)."
    )


def start_of(path: Path) -> bytes:
    """As many of the first bytes of a file as tell its encoding."""
    with path.open("rb") as stream:
        return stream.read(_START)


def _others(start: bytes) -> dict[str, str]:
    """Encodings in which nearly all that is not ASCII is of one script, with a word as each has it; the best three."""
    found: dict[str, tuple[float, str]] = {}
    for name in _OTHERS:
        text = start.decode(name, "ignore")
        strange = [one for one in text if not one.isascii() and one.isalpha()]
        lost = len(start) - len(text.encode(name, "ignore"))
        known = sum(unicodedata.name(one, "").startswith(_SCRIPTS[name]) for one in strange)
        word = _STRANGE.search(text)
        if strange and word and known > 0.9 * len(strange) and lost < 0.02 * len(start):
            found[name] = (known / len(strange), word[0].strip("\"',;")[:_SHOWN])
    best = sorted(found, key=lambda name: -found[name][0])[:3]
    return {name: found[name][1] for name in best}
