"""Tables for the terminal."""

import io
from collections.abc import Collection, Sequence
from textwrap import wrap
from typing import Any, TextIO

from rich.console import Console, JustifyMethod, OverflowMethod
from rich.table import Table

from graft.cli.output.tell import cell, tell
from graft.spec.metrics import shown

WIDTH_IN_FILES = 200
LONGEST_UNBROKEN = 40
"""Letters of a text that stays on one line; longer ones are broken, so that they take no other column's room."""
_BETWEEN = 4
"""Blanks around a column."""
_LEAST_TEXT = 28
"""Letters of a column of texts, its blanks included, below which it would be a tower of single words."""
_INDENT: dict[str, Any] = {"initial_indent": "      ", "subsequent_indent": "      "}
_MILLIONS = {"params": "M parameters", "multiply_adds": "M multiply-adds"}


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = (), stream: TextIO | None = None
) -> None:
    """Print rows of texts under columns, those of `numbers` to the right; where a terminal has no room for all
    columns side by side, each row as a block of lines."""
    console = Console(file=stream)
    if console.is_terminal and console.width < _least_width(columns, rows):
        _print_blocks(columns, rows, stream)
        return
    broken = [name for place, name in enumerate(columns) if any(len(row[place]) > LONGEST_UNBROKEN for row in rows)]
    _print(_table(columns, rows, numbers, broken), stream)


def print_leaderboard(
    rows: Sequence[dict[str, Any]], metric: str, limit: int | None, stream: TextIO | None = None
) -> None:
    """Print the best trials; a star marks the winner, which of equal scores need not be the first.

    Args:
        rows: of `graft.experiments.progress.leaderboard`.
        metric: its name.
        limit: how many rows; None prints all, with the reasons why they ended.
        stream: where to; standard output if None.
    """
    costs = [name for name in _MILLIONS if any(name in row.get("network", {}) for row in rows)]
    has_folds = any(row.get("estimate") for row in rows)
    folds, millions = ["by folds"] * has_folds, [_MILLIONS[name] for name in costs]
    columns = ["#", "trial", metric, *folds, "epochs", "seconds", *millions, "state"]
    lines = [_short_cells(row, has_folds, costs) for row in rows[:limit]]
    texts = {"strategy": "label"} | ({"why it ended": "reason"} if limit is None else {})
    told = [[row[key] for key in texts.values()] for row in rows[:limit]]
    numbers = ("#", metric, "epochs", "seconds", *_MILLIONS.values())
    console = Console(file=stream)
    room = console.width - _least_width(columns, lines)
    if console.is_terminal and room < len(texts) * _LEAST_TEXT:
        _print_texts_below(_table(columns, lines, numbers, padding=1), told, stream)
    else:
        whole = [[*line, *more] for line, more in zip(lines, told, strict=True)]
        _print(_table([*columns, *texts], whole, numbers, broken=tuple(texts)), stream)
    if limit is not None and len(rows) > limit:
        console.print(f"  … and {len(rows) - limit} more", style="dim")
    for row in rows if limit is None else ():
        if row.get("winner"):
            tell(f"  * wins: {row['winner']}", stream=stream)


def _short_cells(row: dict[str, Any], has_folds: bool, costs: Sequence[str]) -> list[str]:
    return [
        str(row["rank"]),
        f"{row['trial']} *" if row.get("winner") else row["trial"],
        _scored(row),
        *[_estimated(row)] * has_folds,
        str(row["epochs"]),
        f"{row['seconds']:.1f}",
        *(_millions(row["network"].get(name)) for name in costs),
        row["status"],
    ]


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    numbers: Collection[str],
    broken: Collection[str] = (),
    padding: int = _BETWEEN // 2,
) -> Table:
    """Numbers stand to the right; what stands in a column of `broken` may take several lines."""
    table = Table(box=None, padding=(0, padding), header_style="bold")
    for name in columns:
        justify: JustifyMethod = "right" if name in numbers else "left"
        overflow: OverflowMethod = "fold" if name in broken else "ellipsis"
        table.add_column(name, justify=justify, no_wrap=name not in broken, overflow=overflow)
    for row in rows:
        table.add_row(*map(cell, row))
    return table


def _print_texts_below(table: Table, texts: Sequence[Sequence[str]], stream: TextIO | None) -> None:
    """For narrow terminals: what is long stands below its row, over the whole width."""
    width = Console(file=stream).width
    header, *lines = _rendered(table, max(width, WIDTH_IN_FILES))  # a terminal that is narrower still breaks them
    tell(header, stream=stream)
    for line, told in zip(lines, texts, strict=True):
        tell(line, *(part for text in told for part in wrap(text, width, **_INDENT)), stream=stream)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Letters of a line that holds all that is not broken, and a word or two of what is."""
    longest = [max(len(name), *(len(row[place]) for row in rows)) for place, name in enumerate(columns)] if rows else []
    return sum(min(length, LONGEST_UNBROKEN) + _BETWEEN for length in longest)


def _print_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO | None) -> None:
    names = max(map(len, columns))
    for number, row in enumerate(rows):
        blank = [""] * (number > 0)
        tell(*blank, *(f"{name:{names}}  {text}" for name, text in zip(columns, row, strict=True)), stream=stream)


def _print(table: Table, stream: TextIO | None) -> None:
    console = Console(file=stream)
    if console.is_terminal:
        console.print(table)
        return
    tell(*_rendered(table, WIDTH_IN_FILES), stream=stream)


def _rendered(table: Table, width: int) -> list[str]:
    """Its lines in plain letters, without the blanks up to the edge of the window."""
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as captured:
        console.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _scored(row: dict[str, Any]) -> str:
    score = shown(row["score"])
    if interval := row.get("interval"):
        return f"{score} ({shown(interval[0])} to {shown(interval[1])})"
    return score


def _estimated(row: dict[str, Any]) -> str:
    """What a finalist scores by folds."""
    if not (found := row.get("estimate")):
        return ""
    mean, low, high = map(shown, found)
    return f"{mean} ({low} to {high})"


def _millions(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e6:.3g}"
