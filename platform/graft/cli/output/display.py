"""Shows a run while it goes on: a live table on a terminal, plain lines in a log, nothing with ``--json``."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from graft.cli.output.tell import cell, tell
from graft.experiments.progress import RUNNING, Progress, StageProgress, TrialProgress
from graft.experiments.stages import StageName, StageState
from graft.experiments.time_left import time_left
from graft.journal import events
from graft.search.outlook import Outlook

SHOWN_TRIALS = 8
SHOWN_NOTES = 3
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
    """Yield what to call with every event; draws a table that keeps itself up to date.

    `now` is the time up to which a stage that has not ended is shown to run.
    """
    console = Console(file=stream)
    view = _View(progress, outlook, now)
    # Live would send what libraries write to `sys.stdout` to the terminal; it belongs in the log.
    with Live(view, console=console, refresh_per_second=4, redirect_stdout=False, redirect_stderr=False) as live:
        yield progress.apply
        live.update(view, refresh=True)


def plain_lines(stream: TextIO, progress: Progress, outlook: Outlook) -> Listener:
    """What to call with every event: prints a line for each stage and each trial that ends."""

    def listen(event: events.Event) -> None:
        progress.apply(event)
        line = _line(event, progress, outlook)
        if line:
            tell(line, stream=stream)

    return listen


def _line(event: events.Event, progress: Progress, outlook: Outlook) -> str:
    match event:
        case events.StageStarted(stage=stage, detail=detail):
            return f"{stage}: started{_behind(detail)}"
        case events.StageFinished(stage=stage, seconds=seconds, detail=detail):
            return f"{stage}: done in {seconds:.1f} s{_behind(detail)}"
        case events.StageSkipped(stage=stage, detail=detail) | events.StageFailed(stage=stage, detail=detail):
            return f"{stage}: {'failed' if isinstance(event, events.StageFailed) else 'skipped'}{_behind(detail)}"
        case events.PhaseStarted(phase=phase, scheduler=scheduler, epochs=epochs) if len(outlook.phases) > 1:
            return f"  phase {phase + 1} of {len(outlook.phases)}: {scheduler}, to epoch {epochs}"
        case events.TrialExploited(trial=name, reason=told):
            return f"  {name}: {told}"
        case events.TrialNoted(trial=name, text=told) if progress.notes[event.what] is event:
            return f"  {name}: {told}"  # what happens to all trials is said once
        case events.ResourcesAwaited(what=what) if what:
            return f"  waiting: {what}"
        case events.SearchEnded(by=by, detail=detail):
            return f"  the search ends ({by}){_behind(detail)}"
        case events.TrialFinished(trial=name):
            trial = progress.trials[name]
            ended = sum(one.status != RUNNING for one in progress.trials.values())
            what = f"{name} {trial.label}: {_score(progress, trial)} {_state(trial)}"
            return f"  [{ended}/{_total(outlook)}] {what}{_eta(progress, outlook)}"
    return ""


class _View:
    """Draws itself anew at every refresh, so that the clock runs between events."""

    def __init__(self, progress: Progress, outlook: Outlook, now: Callable[[], float]) -> None:
        self._progress = progress
        self._outlook = outlook
        self._now = now

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._stages()]
        if self._progress.trials:
            parts.append(self._trials())
        for note in list(self._progress.notes.values())[-SHOWN_NOTES:]:
            parts.append(cell(f"{note.trial}: {note.text}", "yellow"))
        return Group(*parts)

    def _stages(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name in StageName:
            stage = self._progress.stages.get(name, StageProgress())
            mark, style = MARKS[stage.state]
            table.add_row(Text(mark, style), Text(name, style), self._seconds(stage), cell(self._detail(name, stage)))
        return table

    def _detail(self, name: str, stage: StageProgress) -> str:
        if name != StageName.SEARCH or stage.state is not StageState.RUNNING:
            return stage.detail
        ended = sum(trial.status != RUNNING for trial in self._progress.trials.values())
        return f"{ended}/{_total(self._outlook)} trials{_eta(self._progress, self._outlook)}"

    def _seconds(self, stage: StageProgress) -> Text:
        seconds = self._now() - stage.started if stage.state is StageState.RUNNING else stage.seconds
        return Text(f"{seconds:.1f} s" if seconds else "", "dim")

    def _trials(self) -> Table:
        table = Table(box=None, padding=(0, 2), header_style="bold")
        for column in ("trial", "strategy", "epoch", self._progress.metric.name, "state"):
            table.add_column(column, no_wrap=column != "strategy")
        running = [trial for trial in self._progress.trials.values() if trial.status == RUNNING]
        best = [trial for trial in self._progress.ranked() if trial.status != RUNNING]
        for trial in running + best[: max(0, SHOWN_TRIALS - len(running))]:
            style = "cyan" if trial.status == RUNNING else ""
            score = _score(self._progress, trial)
            cells = (trial.trial, trial.label, str(trial.epoch), score, _state(trial))
            table.add_row(*map(cell, cells), style=style)
        return table


def _score(progress: Progress, trial: TrialProgress) -> str:
    score = progress.score(trial)
    return "–" if score is None else f"{score:.4f}"


def _state(trial: TrialProgress) -> str:
    if trial.status == events.TrialStatus.STOPPED:
        return f"stopped at epoch {trial.rung}"
    if trial.status == events.TrialStatus.FAILED:
        return f"failed: {trial.reason}"
    return trial.status


def _eta(progress: Progress, outlook: Outlook) -> str:
    left = time_left(progress, outlook)
    return f", {_clock(left.seconds)} ± {_clock(left.band)} left" if left and left.seconds else ""


def _total(outlook: Outlook) -> str:
    return "…" if outlook.trials is None else str(outlook.trials)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _behind(detail: str) -> str:
    return f" ({detail})" if detail else ""
