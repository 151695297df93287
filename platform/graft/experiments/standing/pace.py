"""How fast a run goes: what its start took, and when its epochs have ended. Folded from its journal."""

import math

from graft.experiments.stages import StageName
from graft.journal import events

START_UP, WORKER_SECONDS = 6.0, 6.0
"""How long two idle cores take to the first trial of a run, and to start a process that imports torch."""

MAX_SLOWNESS = 30.0
"""A machine is taken to be as much slower as its start-up and its first process were, up to this factor."""


class Pace:
    """The pace of one run; feed it every event of that in order.

    Args:
        began: when it did, in seconds since the epoch.

    Attributes:
        trained_since: when its first epoch began; None before that has ended.
        reported_at: when each epoch that its trials have ended was reported.
        start_up: seconds from its beginning to its first trial, without what is computed of the data meanwhile: ingest,
            features of frozen blocks, what the task is like, scores of backbones; None before there is a trial.
        first_wait: seconds that the first trial to report has waited for its first epoch: its process started, and
            imported torch; None before.
    """

    def __init__(self, began: float = 0.0) -> None:
        self._began, self._computed = began, 0.0
        self._searched_since: float | None = None
        self._started: dict[str, float] = {}
        self.trained_since: float | None = None
        self.reported_at: list[float] = []
        self.start_up: float | None = None
        self.first_wait: float | None = None

    @property
    def reported(self) -> int:
        """Epochs that its trials have ended."""
        return len(self.reported_at)

    @property
    def slowness(self) -> float:
        """How many times as slow as two idle cores this machine starts processes; at least 1."""
        measured = (self.start_up, START_UP), (self.first_wait, WORKER_SECONDS)
        ratios = [seconds / idle for seconds, idle in measured if seconds]
        return min(max(math.prod(ratios) ** (1 / max(1, len(ratios))), 1.0), MAX_SLOWNESS)

    def apply(self, event: events.Event) -> None:
        """Take one event into account."""
        match event:
            case events.StageStarted(stage=StageName.SEARCH):
                self._searched_since = event.time
            case events.StageFinished(stage=StageName.INGEST):
                self._computed += event.seconds
            case events.PhaseStarted() | events.BackbonesScreened() | events.RecommendationsMade():
                self._take_computed(event.time)
            case events.TrialStarted():
                self._started[event.trial] = event.time
                if self.start_up is None and self._began:
                    self.start_up = max(0.0, event.time - self._began - self._computed)
            case events.TrialReported():
                self._report(event)

    def _take_computed(self, time: float) -> None:
        """All that the search does before one of these records is computed of the data."""
        if self._searched_since is not None:
            self._computed += time - self._searched_since
            self._searched_since = time

    def _report(self, event: events.TrialReported) -> None:
        self.reported_at.append(event.time)
        if self.trained_since is not None:
            return
        self.trained_since = event.time - event.seconds
        if event.trial in self._started:
            computed = event.seconds + event.metrics.get("cache/pass_seconds", 0.0)
            self.first_wait = max(0.0, event.time - self._started[event.trial] - computed)
