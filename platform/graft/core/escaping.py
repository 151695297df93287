"""Texts that come from outside, made safe to show: file names, class names and error texts may hold anything.

A terminal obeys escape sequences, a line break in a name looks like a line of graft's own, and marks for the direction
of writing let one name look like another. What is not a visible character is shown by its escape, as Python writes it.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

# Control characters, format characters (marks for the direction of writing, invisible spaces), halves of a pair (bytes
# of a file name that are no UTF-8), and separators of lines and paragraphs.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Format characters that words of Persian and of Indian languages, and many emoji, are written with.
_JOINERS = frozenset("\u200c\u200d")


def escaped(text: str) -> str:
    r"""The text on one line, with everything that cannot be seen as an escape: ``\n``, ``\x1b``, ``\u202e``."""
    if text.isprintable():
        return text
    return "".join(one if _is_seen(one) else one.encode("unicode_escape").decode("ascii") for one in text)


def html_table(rows: Iterable[Sequence[str]], title: str = "", header: Sequence[str] = ()) -> str:
    """A table in which no cell can be anything but text.

    Args:
        rows: cells of each; the first one is its heading.
        title: above the table.
        header: of the columns.
    """
    caption = f"<caption>{_text(title)}</caption>" if title else ""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><th>{_text(first)}</th>{''.join(f'<td>{_text(cell)}</td>' for cell in rest)}</tr>"
        for first, *rest in rows
    )
    return f"<table>{caption}{f'<tr>{head}</tr>' if head else ''}{body}</table>"


def _text(cell: str) -> str:
    return escape(escaped(cell))


def _is_seen(one: str) -> bool:
    return unicodedata.category(one) not in _UNSEEN or one in _JOINERS
