"""All that is printed goes through here, so that no name or error text can write to the terminal what it wants."""

import json
import math
from typing import TYPE_CHECKING, Any, TextIO

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


def tell_json(document: Any, stream: TextIO | None = None) -> None:
    """Print the one document that a script reads, on one line.

    JSON has no word for a number that is not finite, and most readers refuse Python's: it is null.

    Args:
        document: plain values.
        stream: to this stream instead of standard output.
    """
    tell(json.dumps(_finite(document), allow_nan=False), stream=stream)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, list | tuple) else value


def cell(text: str, style: str = "") -> "Text":
    """A text for a table: neither markup nor anything else in it has an effect."""
    from rich.text import Text

    return Text(escaped(text), style)
