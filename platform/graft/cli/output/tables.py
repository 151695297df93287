"""Tables for the terminal."""

from collections.abc import Collection, Sequence
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from graft.cli.output.tell import cell
from graft.spec.metrics import shown

WIDTH_IN_FILES = 200
_MILLIONS = {"params": "M parameters", "multiply_adds": "M multiply-adds"}


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[str] = (), stream: TextIO | None = None
) -> None:
    """Print rows of texts under columns; those of `numbers` to the right."""
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(cell, row))
    console = Console(file=stream)
    if not console.is_terminal:
        console = Console(file=stream, width=WIDTH_IN_FILES)
    console.print(table)


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
    table = Table(box=None, padding=(0, 2), header_style="bold")
    costs = [name for name in _MILLIONS if any(name in row.get("network", {}) for row in rows)]
    folds = ["by folds"] if any(row.get("estimate") for row in rows) else []
    columns = [
        "#",
        "trial",
        metric,
        *folds,
        "epochs",
        "seconds",
        *(_MILLIONS[name] for name in costs),
        "state",
        "strategy",
    ]
    columns += ["why it ended"] if limit is None else []
    for column in columns:
        is_number = column in ("#", metric, "epochs", "seconds", *_MILLIONS.values())
        table.add_column(
            column, justify="right" if is_number else "left", no_wrap=column not in ("strategy", "why it ended")
        )
    for row in rows[:limit]:
        score = shown(row["score"])
        if interval := row.get("interval"):
            score = f"{score} ({shown(interval[0])} to {shown(interval[1])})"
        cells = [
            str(row["rank"]),
            f"{row['trial']} *" if row.get("winner") else row["trial"],
            score,
            *([_estimated(row)] if folds else []),
            str(row["epochs"]),
            f"{row['seconds']:.1f}",
            *(_millions(row["network"].get(name)) for name in costs),
            row["status"],
            row["label"],
        ]
        cells += [row["reason"]] if limit is None else []
        table.add_row(*map(cell, cells))
    console = Console(file=stream)
    if not console.is_terminal:
        console = Console(file=stream, width=WIDTH_IN_FILES)
    console.print(table)
    if limit is not None and len(rows) > limit:
        console.print(f"  … and {len(rows) - limit} more", style="dim")
    if limit is None:
        for row in rows:
            if row.get("winner"):
                console.print(cell(f"  * wins: {row['winner']}"))


def _estimated(row: dict[str, Any]) -> str:
    """What a finalist scores by folds."""
    if not (found := row.get("estimate")):
        return ""
    mean, low, high = map(shown, found)
    return f"{mean} ({low} to {high})"


def _millions(value: float | None) -> str:
    return "-" if value is None else f"{value / 1e6:.3g}"
