"""Which help answers a command line that is not complete, or not right."""

from collections.abc import Sequence
from typing import Any

import typer


def show_overview(context: typer.Context) -> None:
    """Print the help of a group of commands if none of them was named; that is a question, and no error."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), nl=False)


def named_command(root: Any, arguments: Sequence[str]) -> list[str]:
    """The command that a command line means, as far as it names one: ``["journal", "show"]``.

    Args:
        root: the whole command, as typer builds it.
        arguments: what follows the program's name.
    """
    path: list[str] = []
    for word in (one for one in arguments if not one.startswith("-")):
        inner = getattr(root, "commands", {})
        if word not in inner:
            break
        path.append(word)
        root = inner[word]
    return path
