"""Shows a run in a notebook while it goes on: one output that keeps itself up to date."""

import sys
import time
from collections.abc import Callable
from typing import Any

from graft.core.escaping import html_table
from graft.experiments.progress import Progress, StageProgress, TrialProgress
from graft.experiments.stages import StageName, StageState
from graft.journal import events

SHOWN_TRIALS = 8
# Reports may come many a second; a browser need not draw each.
EVERY_S = 0.5


def is_in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


class NotebookDisplay:
    """What to call with every event of a run.

    Args:
        progress: of the run; the events are applied to it here.
        now: seconds, for how often to draw.
    """

    def __init__(self, progress: Progress, now: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._now = now
        self._drawn = -EVERY_S
        self._handle: Any = None

    def __call__(self, event: events.Event) -> None:
        self._progress.apply(event)
        if isinstance(event, events.TrialReported) and self._now() - self._drawn < EVERY_S:
            return
        self._drawn = self._now()
        self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        page = HTML(self.html())
        if self._handle is None:
            self._handle = display(page, display_id=True)
        else:
            self._handle.update(page)

    def html(self) -> str:
        """How the run stands: its stages, and the trials that run or lead."""
        stages = [_stage(name, self._progress.stages.get(name, StageProgress())) for name in StageName]
        parts = [html_table(stages)]
        if self._progress.trials:
            parts.append(html_table(self._trials(), self._summary(), ("trial", "strategy", "epoch", "score", "state")))
        return "".join(parts)

    def _summary(self) -> str:
        progress = self._progress
        ended = sum(trial.has_ended for trial in progress.trials.values())
        best = next(iter(progress.ranked()), None)
        told = f"{ended} of {len(progress.trials)} trials so far have ended"
        return f"{told}; best {progress.metric.name} {_number(progress.score(best))} ({best.trial})" if best else told

    def _trials(self) -> list[tuple[str, ...]]:
        progress = self._progress
        running = [trial for trial in progress.trials.values() if not trial.has_ended]
        best = [trial for trial in progress.ranked() if trial.has_ended]
        shown = running + best[: max(0, SHOWN_TRIALS - len(running))]
        return [self._trial(trial) for trial in shown]

    def _trial(self, trial: TrialProgress) -> tuple[str, ...]:
        return (trial.trial, trial.label, str(trial.epoch), _number(self._progress.score(trial)), str(trial.status))


def _stage(name: str, stage: StageProgress) -> tuple[str, ...]:
    seconds = f"{stage.seconds:.1f} s" if stage.seconds else ""
    state = "" if stage.state is StageState.PENDING else stage.state.name.lower()
    return (str(name), state, seconds, stage.detail)


def _number(score: float | None) -> str:
    return "–" if score is None else f"{score:.4f}"
