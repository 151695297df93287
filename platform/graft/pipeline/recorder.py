"""Turns what the search tells into journal records."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from graft.core.clock import Clock
from graft.search.protocol import Duplicate, Proposal, TrialEnd
from graft.spec.metrics import MetricSpec
from graft.tracking import events
from graft.tracking.journal import Journal


@dataclass
class _Running:
    started: float
    epochs: int = 0
    best: Mapping[str, float] = field(default_factory=dict)


class Recorder:
    """A `SearchObserver` that journals.

    Args:
        journal: where to.
        metric: chooses a trial's best epoch.
        seed: root of the trials' randomness.
        clock: measures trials.
    """

    def __init__(self, journal: Journal, metric: MetricSpec, seed: int, clock: Clock) -> None:
        self._journal = journal
        self._metric = metric
        self._seed = seed
        self._clock = clock
        self._running: dict[str, _Running] = {}

    def on_duplicate(self, duplicate: Duplicate) -> None:
        self._journal.append(events.DuplicateSkipped(trial=None, of=duplicate.of, key=duplicate.key))

    def on_started(self, proposal: Proposal) -> None:
        self._running[proposal.trial] = _Running(self._clock.elapsed())
        strategy = proposal.strategy
        self._journal.append(
            events.TrialStarted(proposal.trial, strategy.model_dump(mode="json"), strategy.label(), self._seed)
        )

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        running = self._running[trial]
        running.epochs = epoch
        key = f"val/{self._metric.name}"
        if self._metric.is_better(metrics[key], running.best.get(key)):
            running.best = metrics
        values = {name: value for name, value in metrics.items() if name != "train/seconds"}
        self._journal.append(events.TrialReported(trial, epoch, values, metrics["train/seconds"]))

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        running = self._running.pop(trial)
        best = {name: value for name, value in running.best.items() if name.startswith("val/")}
        seconds = self._clock.elapsed() - running.started
        self._journal.append(
            events.TrialFinished(trial, end.status, end.reason, running.epochs, best, seconds, end.rung)
        )
