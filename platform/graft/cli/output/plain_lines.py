"""Shows a run where there is no terminal: a line for each stage and each trial that ends, and now and then while
nothing ends."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TextIO

from graft.cli.output import words
from graft.cli.output.tell import tell
from graft.experiments.progress import Progress
from graft.experiments.standing.activity import activity
from graft.journal import events
from graft.search.outlook import Outlook

# After so many seconds without a line there is one that says what goes on; the first comes sooner, while whoever
# started the run looks whether it does.
SILENCE_S = 60.0
FIRST_SILENCE_S = 2.0

Listener = Callable[[events.Event], None]


@contextlib.contextmanager
def plain_display(stream: TextIO, progress: Progress, outlook: Outlook) -> Iterator[Listener]:
    """Yield what to call with every event; a run that is silent for long says that it goes on."""
    lines, is_over = PlainLines(stream, progress, outlook), threading.Event()
    thread = threading.Thread(target=_watch, args=(lines, is_over), name="graft-plain-lines", daemon=True)
    thread.start()
    try:
        yield lines.listen
    finally:
        is_over.set()
        thread.join()


class PlainLines:
    """Prints what a run tells.

    Args:
        stream: where to.
        progress: is fed every event.
        outlook: how big the run is.
    """

    def __init__(self, stream: TextIO, progress: Progress, outlook: Outlook) -> None:
        self._stream = stream
        self._progress = progress
        self._outlook = outlook
        self._last = time.time()
        self._patience = FIRST_SILENCE_S
        self._lock = threading.Lock()

    def listen(self, event: events.Event) -> None:
        """Take an event into account; print it if it is worth a line."""
        with self._lock:
            self._progress.apply(event)
            line = _line(event, self._progress, self._outlook)
            if line:
                self._print(line)

    def say_if_silent(self, now: float) -> None:
        """Print what goes on if no line has come for long."""
        if now - self._last < self._patience:
            return
        with self._lock:
            doing = activity(self._progress)
            since = f", {words.clock(now - doing.since)}" if doing.since else ""
            self._print(f"  … {doing.what}{since}{_left(self._progress, self._outlook, now)}")

    def _print(self, line: str) -> None:
        self._last, self._patience = time.time(), SILENCE_S
        tell(line, stream=self._stream)


def _watch(lines: PlainLines, is_over: threading.Event) -> None:
    patience = FIRST_SILENCE_S
    while not is_over.wait(patience):
        lines.say_if_silent(time.time())
        patience = SILENCE_S / 4


def _line(event: events.Event, progress: Progress, outlook: Outlook) -> str:
    match event:
        case events.StageStarted(stage=stage, detail=detail):
            return f"{stage}: started{_behind(detail)}"
        case events.StageFinished(stage=stage, seconds=seconds, detail=detail):
            return f"{stage}: done in {seconds:.1f} s{_behind(detail)}"
        case events.StageSkipped(stage=stage, detail=detail) | events.StageFailed(stage=stage, detail=detail):
            how = "skipped" if isinstance(event, events.StageSkipped) else "failed"
            return f"{stage}: {detail if detail == events.INTERRUPTED else how + _behind(detail)}"
        case events.PhaseStarted(phase=phase, scheduler=scheduler, epochs=epochs) if len(outlook.phases) > 1:
            return f"  phase {phase + 1} of {len(outlook.phases)}: {scheduler}, to epoch {epochs}"
        case events.BackbonesScreened(told=told):
            return f"  {told}"
        case events.TrialExploited(trial=name, reason=told):
            return f"  {name}: {told}"
        case events.TrialNoted(trial=name, text=told) if progress.notes[event.what] is event:
            return f"  {name}: {told}"  # what happens to all trials is said once
        case events.SearchEnded(by=by, detail=detail):
            return f"  the search ends ({by}){_behind(detail)}"
        case events.TrialFinished(trial=name):
            trial = progress.trials[name]
            count = f"[{words.ended(progress)}/{words.planned(outlook)}]"
            what = f"{name} {trial.label}: {words.score(progress, trial)} {words.state(trial)}"
            return f"  {count} {what}{_best(progress)}{_left(progress, outlook)}"
    return _trouble(event)


def _trouble(event: events.Event) -> str:
    match event:
        case events.ResourcesAwaited(what=what) if what:
            return f"  waiting: {what}"
        case events.NodeChanged(text=told):
            return f"  {told}"
        case events.RelayEnded(reason=reason, is_restarted=is_restarted):
            return f"  {reason}; {'it is started again' if is_restarted else 'the run goes on without it'}"
    return ""


def _best(progress: Progress) -> str:
    best = progress.tally.leader
    return f", best {words.score(progress, best)} of {best.trial}" if best else ""


def _left(progress: Progress, outlook: Outlook, now: float | None = None) -> str:
    told = words.left(progress, outlook, now)
    return f", {told}" if told else ""


def _behind(detail: str) -> str:
    return f" ({detail})" if detail else ""
