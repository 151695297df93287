"""All that is printed goes through here, so that no name or error text can write to the terminal what it wants."""

from typing import TYPE_CHECKING, TextIO

import typer

from graft.core.escaping import escaped

if TYPE_CHECKING:
    from rich.text import Text


def tell(*lines: str, err: bool = False, stream: TextIO | None = None) -> None:
    """Print texts, each as one line, whatever is in it.

    Args:
        lines: what to print; a line break within one is shown as an escape.
        err: to standard error.
        stream: to this stream instead.
    """
    typer.echo("\n".join(map(escaped, lines)), err=err, file=stream)


def cell(text: str, style: str = "") -> "Text":
    """A text for a table: neither markup nor anything else in it has an effect."""
    from rich.text import Text

    return Text(escaped(text), style)
