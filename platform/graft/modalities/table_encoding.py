"""Which encoding a table is in that is no UTF-8: Western European, as far as what comes out reads so."""

import contextlib
import re
import unicodedata
from pathlib import Path

from graft.core.errors import DataError
from graft.data.tables.encoding import check_encoding, wide_encoding_of

WESTERN = "cp1252"
"""What nearly all tables are in that are not UTF-8."""

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
        with contextlib.suppress(DataError):
            check_encoding(path, WESTERN)
            if _reads_western(_start_of(path).decode(WESTERN, "replace")):
                return WESTERN
        if others := _others(_start_of(path)):
            shown = " or ".join(f"{name} (`{word}`)" for name, word in others.items())
            raise DataError(
                f"{path} is no UTF-8 text; by its letters it may be {shown}: write which, as in --set "
                f"data.encoding={next(iter(others))}, or save it as UTF-8"
            ) from None
        with contextlib.suppress(DataError):
            check_encoding(path, WESTERN)
            return WESTERN
        raise
    return "utf-8"


def first_strange(path: Path) -> str:
    """The first word of a table that is not ASCII, read as cp1252; empty if there is none at its beginning."""
    found = _STRANGE.search(_start_of(path).decode(WESTERN, "replace"))
    return found[0][:_SHOWN] if found else ""


def _start_of(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_START)


def _reads_western(text: str) -> bool:
    strange = sum(not one.isascii() for one in text)
    return strange <= _MOST_ACCENTS * max(sum(one.isalpha() or not one.isascii() for one in text), 1)


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
