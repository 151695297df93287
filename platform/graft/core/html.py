"""Small tables for notebooks: what `_repr_html_` gives back."""

from collections.abc import Iterable, Sequence
from html import escape

from graft.core.escaping import escaped


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
