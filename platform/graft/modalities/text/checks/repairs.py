"""Repairs of texts, the same at ingest and at prediction: a model must see at work what it has learnt from."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping

from graft.modalities.text.checks.characters import with_encoding_repaired, with_latin_letters, without_invisible
from graft.modalities.text.checks.markup import without_markup


def repaired(text: str, repairs: Iterable[str]) -> str:
    """A text after some repairs, whatever the order in which they are named.

    Args:
        text: as it was read.
        repairs: some of `REPAIRS`.
    """
    wanted = set(repairs)
    for name, repair in REPAIRS.items():
        if name in wanted:
            text = repair(text)
    return text


def _plain_letters(text: str) -> str:
    """Compatibility forms written plainly (NFKC: full width, ligatures), and look-alikes as Latin letters."""
    return with_latin_letters(text if text.isascii() else unicodedata.normalize("NFKC", text))


REPAIRS: Mapping[str, Callable[[str], str]] = {
    "encoding": with_encoding_repaired,
    "markup": without_markup,
    "invisible_characters": without_invisible,
    "homoglyph": _plain_letters,
}
"""By the kind of finding that each mends, in the order in which they are made."""
