"""What `graft doctor` shows: how far it is, and what it has found."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from graft.cli.output.looking import working

if TYPE_CHECKING:
    from graft.doctor.report import Report

_NAMED = 3
_DONE = {"drop": "left out", "fix": "fixed", "keep": "kept", "fail": "not accepted"}


@contextlib.contextmanager
def advancing(stream: TextIO, noun: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what to tell how many samples of how many are done: a bar at a terminal, a line now and then elsewhere.

    Args:
        stream: where to.
        noun: what the samples are called, plural.
    """
    if not stream.isatty():
        told = working(stream)
        yield lambda done, total: told(f"examining {noun}", done, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(f"examining {noun}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def report_lines(report: "Report") -> list[str]:
    """The report, a line a finding, the worst first."""
    splits = ", ".join(f"{count:,} {name}" for name, count in report.splits.items() if count)
    lines = [f"{report.source}: {report.records:,} {report.modality}s, {report.task} ({splits})"]
    lines += [f"note: {note}" for note in report.notes]
    for one in report.findings:
        named = ", ".join(one.examples[:_NAMED]) + (", …" if one.count > _NAMED else "")
        lines.append(f"{one.severity:<8}{one.kind:<18} {one.count:>7,}  {_DONE[one.action]}: {named}")
    if not report.findings:
        lines.append("nothing was found")
    lines += [f"left out by name: {one}" for one in report.ignored]
    failing = ", ".join(one.kind for one in report.failing)
    return [*lines, f"data.clean does not accept {failing}"] if failing else lines
