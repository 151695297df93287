"""Which help answers a command line that is not complete, or not right, and how its texts are shown."""

from collections.abc import Sequence
from typing import Any

import typer
from rich.markup import escape


def command_line(app: typer.Typer) -> Any:
    """The whole command, its texts shown as they are meant.

    Typer takes what stands in brackets for markup, so that ``{choice: [a, b]}`` would lose its options, and breaks
    lines where a docstring does, whatever the width of the terminal.
    """
    root = typer.main.get_command(app)
    _write_out(root)
    return root


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


def _write_out(command: Any) -> None:
    if command.help:
        command.help = escape(_unwrapped(command.help))
    for inner in getattr(command, "commands", {}).values():
        _write_out(inner)


def _unwrapped(text: str) -> str:
    """Paragraphs without the line breaks of the source; the terminal has its own."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
