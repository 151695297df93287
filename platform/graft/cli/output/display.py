"""Shows a run on a terminal while it goes on: how far it is, what is best, what happens now, stages and trials."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from graft.cli.output import words
from graft.cli.output.tell import cell
from graft.experiments.progress import RUNNING, Progress, StageProgress
from graft.experiments.stages import StageName, StageState
from graft.experiments.standing.activity import activity
from graft.experiments.standing.time_left import time_left
from graft.journal import events
from graft.search.outlook import Outlook

SHOWN_TRIALS = 8
SHOWN_NOTES = 3
BAR_WIDTH = 24
# Lines that are not of trials; a trial takes two where the terminal is narrow.
_OTHER_LINES, _LINES_A_TRIAL, _LEAST_TRIALS = 14, 2, 2
MARKS = {
    StageState.PENDING: ("·", "dim"),
    StageState.RUNNING: ("▸", "cyan"),
    StageState.DONE: ("✓", "green"),
    StageState.SKIPPED: ("–", "green"),
    StageState.FAILED: ("✗", "red"),
}

Listener = Callable[[events.Event], None]


@contextlib.contextmanager
def live_display(
    stream: TextIO, progress: Progress, outlook: Outlook, now: Callable[[], float] = time.time
) -> Iterator[Listener]:
    """Yield what to call with every event; draws a view that keeps itself up to date.

    `now` is the time up to which a stage that has not ended is shown to run.
    """
    console = Console(file=stream)
    view = _View(progress, outlook, now)
    # Live would send what libraries write to `sys.stdout` to the terminal; it belongs in the log.
    with Live(view, console=console, refresh_per_second=4, redirect_stdout=False, redirect_stderr=False) as live:
        yield view.listen
        live.update(view, refresh=True)


class _View:
    """Draws itself anew at every refresh, so that its clocks run between events."""

    def __init__(self, progress: Progress, outlook: Outlook, now: Callable[[], float]) -> None:
        self._progress = progress
        self._outlook = outlook
        self._now = now
        self._shown_since = now()
        self._lock = threading.RLock()  # it is drawn by a thread of its own

    def listen(self, event: events.Event) -> None:
        """Take an event into account."""
        with self._lock:
            self._progress.apply(event)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = (console.size.height - _OTHER_LINES) // _LINES_A_TRIAL if console.is_terminal else SHOWN_TRIALS
        with self._lock:
            parts: list[RenderableType] = [self._head(), self._stages()]
            if self._progress.trials:
                parts.append(self._trials(max(_LEAST_TRIALS, min(SHOWN_TRIALS, room))))
            for note in list(self._progress.notes.values())[-SHOWN_NOTES:]:
                parts.append(cell(f"{note.trial}: {note.text}", "yellow"))
            for told in list(self._progress.nodes_told.values())[-SHOWN_NOTES:]:
                parts.append(cell(told, "yellow"))
        yield from parts

    def _head(self) -> RenderableType:
        """How far it is and how long it takes; what is best; what happens now."""
        progress, now = self._progress, self._now()
        passed = progress.spent + max(0.0, now - progress.now) if progress.runs else now - self._shown_since
        trials = f"{words.ended(progress)}/{words.planned(self._outlook)} trials"
        left = "" if progress.status else words.left(progress, self._outlook, now)
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=1.0, completed=self._share(passed, now), width=BAR_WIDTH),
            cell(", ".join(part for part in (trials, words.clock(passed), left) if part)),
        )
        table = Table.grid()
        table.add_row(bar)
        best = progress.tally.leader
        if best is not None:
            name = f"{progress.metric.name} {words.score(progress, best)}"
            table.add_row(cell(f"best {name}: {best.trial} {best.best_label}", "bold"))
        if progress.nodes_counted is not None:
            table.add_row(cell(f"nodes {words.nodes(progress.nodes_counted)}"))
        if progress.status is not None and progress.status != events.ExperimentStatus.COMPLETED:
            return table
        doing = activity(progress)
        seconds = now - (doing.since or self._shown_since)
        table.add_row(cell(f"now  {doing.what}, {max(0.0, seconds):.0f} s", "cyan"))
        return table

    def _share(self, passed: float, now: float) -> float:
        """Of the time if it is known how much is left, else of the trials."""
        progress, total = self._progress, self._outlook.trials
        if progress.status is not None:
            return 1.0
        left = time_left(progress, self._outlook, now)
        if left is not None:
            return passed / max(1e-9, passed + left.seconds)
        return words.ended(progress) / total if total else 0.0

    def _stages(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name in StageName:
            stage = self._progress.stages.get(name, StageProgress())
            mark, style = MARKS[stage.state]
            table.add_row(Text(mark, style), Text(name, style), self._seconds(stage), cell(stage.detail))
        return table

    def _seconds(self, stage: StageProgress) -> Text:
        seconds = self._now() - stage.started if stage.state is StageState.RUNNING else stage.seconds
        return Text(f"{seconds:.1f} s" if seconds else "", "dim")

    def _trials(self, room: int) -> Table:
        table = Table(box=None, padding=(0, 2), header_style="bold")
        for column in ("trial", "strategy", "epoch", self._progress.metric.name, "state"):
            is_long = column in ("strategy", "state")
            table.add_column(column, no_wrap=not is_long, overflow="fold")
        running = [trial for trial in self._progress.trials.values() if trial.status == RUNNING][:room]
        best = [trial for trial in self._progress.ranked() if trial.status != RUNNING]
        for trial in running + best[: max(0, room - len(running))]:
            style = "cyan" if trial.status == RUNNING else ""
            score = words.score(self._progress, trial)
            cells = (trial.trial, trial.label, str(trial.epoch), score, words.state(trial))
            table.add_row(*map(cell, cells), style=style)
        return table
