"""What the journal of an experiment says of its trials, as records; pure, and the same however often it is asked."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from graft.core.storage import canonical_json, text_digest
from graft.journal import events
from graft.journal.status import TrialStatus
from graft.meta.memory.records import Record, TaskEntry, TrialState
from graft.spec.job import Job
from graft.spec.metrics import MetricSpec
from graft.tracking.target import run_key

COPIED = 0.3
"""Weight of what was trained on from another trial's weights: its strategy alone did not lead there."""
_STATES = {
    TrialStatus.COMPLETED: TrialState.FINISHED,
    TrialStatus.STOPPED: TrialState.STOPPED,
    TrialStatus.INTERRUPTED: TrialState.STOPPED,
    TrialStatus.FAILED: TrialState.FAILED,
}


@dataclass(frozen=True)
class Remembered:
    """What an experiment leaves in the memory.

    Attributes:
        task: that it was about; None if it never saw its samples.
        records: of its trials.
    """

    task: TaskEntry | None = None
    records: tuple[Record, ...] = ()


def task_name(fingerprint: str, task_kind: str) -> str:
    """The name of a task: the same for the same samples, splits and question, whatever the job is called."""
    return text_digest(f"{fingerprint} {task_kind}")[:16]


@dataclass
class _Stretch:
    """A trial, or the part of one that goes on from other weights."""

    name: str
    strategy: dict[str, Any]
    epochs: int
    weight: float
    began_at: float
    values: list[tuple[int, float, float, float]] = field(default_factory=list)
    seconds: float = 0.0
    state: TrialState = TrialState.STOPPED
    ended_at: float = 0.0


def records_of(found: Iterable[events.Event], is_over: bool = True) -> Remembered:
    """The records that the events of an experiment make, in order.

    Args:
        found: all events.
        is_over: whether nobody writes to the journal any more: then trials without an end were cut off; else they are
            left out, because they go on.
    """
    story = _Story()
    for event in found:
        story.apply(event)
    return story.told(is_over)


class _Story:
    def __init__(self) -> None:
        self._begun: events.ExperimentStarted | None = None
        self._job: Job | None = None
        self._data: events.DatasetReady | None = None
        self._now: dict[str, _Stretch] = {}
        self._over: list[_Stretch] = []
        self._ended: set[str] = set()

    def apply(self, event: events.Event) -> None:
        match event:
            case events.ExperimentStarted():
                self._begun = self._begun or event
                self._job = Job.read_stored(dict(event.job))
            case events.DatasetReady():
                self._data = event
            case events.TrialStarted():
                self._start(event)
            case events.TrialExploited():
                self._over.append(self._now[event.trial])
                name = f"{event.trial}.{event.segment}"
                epochs = self._now[event.trial].epochs
                self._now[event.trial] = _Stretch(name, dict(event.strategy), epochs, COPIED, event.time)
            case events.TrialReported():
                self._report(event)
            case events.TrialFinished():
                self._finish(event)
            case _:
                pass

    def told(self, is_over: bool) -> Remembered:
        """What there is to remember."""
        if self._begun is None or self._job is None or self._data is None:
            return Remembered()
        metric, entry = self._job.objective, self._entry()
        going_on = [one for trial, one in self._now.items() if is_over or trial in self._ended]
        stretches = [*self._over, *going_on]
        return Remembered(entry, tuple(record for one in stretches for record in self._records(one, metric, entry)))

    def _start(self, event: events.TrialStarted) -> None:
        self._ended.discard(event.trial)
        if event.trial in self._now:
            return  # it goes on after an interruption; its reports so far still count
        weight = 1.0 if event.start is None else COPIED
        self._now[event.trial] = _Stretch(event.trial, dict(event.strategy), event.epochs, weight, event.time)

    def _report(self, event: events.TrialReported) -> None:
        stretch = self._now.get(event.trial)
        if stretch is None or self._job is None:
            return
        # After a crash an epoch is trained again: what it gave the last time counts.
        while stretch.values and stretch.values[-1][0] >= event.epoch:
            stretch.values.pop()
        before = stretch.values[-1][2] if stretch.values else 0.0
        value = event.metrics.get(f"val/{self._job.objective.name}", math.nan)
        stretch.values.append((event.epoch, value, before + max(event.seconds, 0.0), event.time))

    def _finish(self, event: events.TrialFinished) -> None:
        stretch = self._now.get(event.trial)
        if stretch is not None:
            stretch.state, stretch.ended_at = _STATES[event.status], event.time
            stretch.seconds = event.seconds
            self._ended.add(event.trial)

    def _entry(self) -> TaskEntry:
        begun, data, job = self._begun, self._data, self._job
        if begun is None or data is None or job is None:
            raise ValueError("the journal has not begun, but must have to name a task")
        kind = data.task or job.decided_task.kind
        rows = int(data.counts.get("train", 0))
        names = tuple(vars(data)["classes"])  # of whatever is predicted: the field is of the first journals
        entry = TaskEntry(
            task=task_name(data.fingerprint, kind),
            modality=data.modality or job.data.modality,
            task_kind=kind,
            rows=rows,
            outputs=len(names),
            title=job.name,
            source=f"run:{begun.name}",
            written_at=data.time,
        )
        return replace(entry, output_names=names) if job.memory.label_names else entry

    def _records(self, stretch: _Stretch, metric: MetricSpec, entry: TaskEntry) -> list[Record]:
        begun = self._begun
        if begun is None:
            return []
        usual = Record(
            task=entry.task,
            modality=entry.modality,
            task_kind=entry.task_kind,
            backbone=str(stretch.strategy.get("backbone", "")),
            metric=metric.name,
            direction=metric.mode,
            value=None,
            strategy_json=canonical_json(stretch.strategy),
            epochs=stretch.epochs or None,
            state=stretch.state,
            trial=f"{run_key(begun.key or begun.name)}/{stretch.name}",
            device=begun.device,
            source=entry.source,
            versions=dict(begun.versions),
            written_at=stretch.ended_at or stretch.began_at,
            weight=stretch.weight,
        )
        found = [
            replace(usual, epoch=epoch, value=value, seconds=seconds, written_at=at)
            for epoch, value, seconds, at in stretch.values
            if metric.is_possible(value)
        ]
        if not found and stretch.state is TrialState.FAILED:
            return [replace(usual, seconds=stretch.seconds or None)]
        return found
