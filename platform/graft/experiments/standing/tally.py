"""Counts over the trials of an experiment, kept as they change, so that asking does not cost more with every trial."""

from collections import Counter
from typing import Generic, Protocol, TypeVar

from graft.spec.metrics import MetricSpec


class Counted(Protocol):
    """What is counted of a trial (`graft.experiments.progress.TrialProgress`)."""

    trial: str
    status: str
    phase: int
    epoch: int
    epochs: int
    best_epoch: int

    @property
    def has_ended(self) -> bool: ...

    @property
    def pass_seconds(self) -> float: ...


T = TypeVar("T", bound=Counted)


class Tally(Generic[T]):
    """What would otherwise be counted over all trials at every report.

    Args:
        metric: what trials are ranked by.
        running: the status of those that run.

    Attributes:
        leader: the best trial with a score; None before there is one.
        running: trials that run, by name.
        begun: phase -> trials.
        ended: phase -> epochs they have trained -> trials that have ended for good.
        most: phase -> most epochs that a trial of it has behind it when it is done.
        pass_seconds: the most that a trial has taken to bring training and validation samples through frozen blocks.
    """

    def __init__(self, metric: MetricSpec, running: str) -> None:
        self._metric, self._running = metric, running
        self.leader: T | None = None
        self.running: dict[str, T] = {}
        self.begun: Counter[int] = Counter()
        self.ended: dict[int, Counter[int]] = {}
        self.most: dict[int, int] = {}
        self.pass_seconds = 0.0
        self._seen: set[str] = set()
        self._counted: dict[str, tuple[int, int]] = {}

    @property
    def num_ended(self) -> int:
        """Trials that have ended for good."""
        return len(self._counted)

    def take(self, trial: T, score: float | None, of_leader: float | None) -> None:
        """Take a trial as it is now.

        Args:
            trial: that has changed.
            score: its best value of the metric.
            of_leader: that of the leader.
        """
        if trial.trial not in self._seen:
            self._seen.add(trial.trial)
            self.begun[trial.phase] += 1
            self.most[trial.phase] = max(self.most.get(trial.phase, 0), trial.epochs)
        if trial.status == self._running:
            self.running[trial.trial] = trial
        else:
            self.running.pop(trial.trial, None)
        self._count(trial)
        self.pass_seconds = max(self.pass_seconds, trial.pass_seconds)
        key, leader = self._metric.best_first, self.leader
        if trial.best_epoch and (leader is None or key(score, trial.trial) < key(of_leader, leader.trial)):
            self.leader = trial

    def _count(self, trial: T) -> None:
        before = self._counted.pop(trial.trial, None)
        if before is not None:
            self.ended[before[0]][before[1]] -= 1
        if trial.has_ended:
            self._counted[trial.trial] = (trial.phase, trial.epoch)
            self.ended.setdefault(trial.phase, Counter())[trial.epoch] += 1
