"""What a memory holds, told for people: tasks at a glance, and the trials of one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.meta.memory.records import Memory, Record, TaskEntry, TrialState
from graft.spec.strategy import Strategy


@dataclass(frozen=True)
class TaskSummary:
    """A task at a glance.

    Attributes:
        task: its name.
        title: what people call it.
        modality: kind of the samples.
        task_kind: what is asked of them.
        rows: training samples; 0 if not known.
        outputs: of a model; 0 if not known.
        trials: how many there were.
        failed: of them.
        records: values that they gave.
        scores: of backbones in closed form.
        metric: what most values are of.
        best: the best value of it.
        winner: whose that is, at a glance.
        sources: where it all comes from.
        newest: seconds since the epoch.
        is_embedded: whether it has a task vector.
    """

    task: str
    title: str
    modality: str
    task_kind: str
    rows: int
    outputs: int
    trials: int
    failed: int
    records: int
    scores: int
    metric: str
    best: float | None
    winner: str
    sources: tuple[str, ...]
    newest: float
    is_embedded: bool


@dataclass(frozen=True)
class TrialSummary:
    """A trial at a glance.

    Attributes:
        trial: its name.
        label: its strategy at a glance.
        backbone: the network.
        state: how it ended.
        metric: what its values are of.
        curve: epoch -> value; epoch 0 where it is not known.
        best: of them.
        seconds: to the last one.
        device: that it was trained on.
        source: where it comes from.
        weight: how much it counts for the reader, now.
    """

    trial: str
    label: str
    backbone: str
    state: str
    metric: str
    curve: Mapping[int, float]
    best: float | None
    seconds: float | None
    device: str
    source: str
    weight: float


def task_summaries(memory: Memory) -> list[TaskSummary]:
    """All tasks, the newest first."""
    entries = {entry.task: entry for entry in memory.tasks()}
    scored: dict[str, int] = {}
    for score in memory.scores():
        scored[score.task] = scored.get(score.task, 0) + 1
    by_task: dict[str, list[Record]] = {task: [] for task in (*entries, *scored)}
    for record in memory.records():
        by_task.setdefault(record.task, []).append(record)
    found = [_of_task(task, entries.get(task), some, scored.get(task, 0)) for task, some in by_task.items()]
    return sorted(found, key=lambda one: (-one.newest, one.task))


def trial_summaries(records: Iterable[Record]) -> list[TrialSummary]:
    """The trials of records of one task, the best first; those without a value last."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault((record.trial, record.metric), []).append(record)
    return [_of_trial(some) for some in sorted(groups.values(), key=_best_first)]


def label_of(record: Record) -> str:
    """The strategy of a record at a glance; that of another graft as far as this one understands it."""
    nested = record.nested_strategy
    if nested is None:
        return record.backbone
    try:
        return Strategy.read_stored({**nested, "backbone": record.backbone}).label()
    except ValueError:
        flat = record.strategy or {}
        return " ".join([record.backbone, *(f"{key}={value}" for key, value in flat.items() if key != "backbone")])


def _of_task(task: str, entry: TaskEntry | None, records: Sequence[Record], scores: int) -> TaskSummary:
    first: Any = entry or (records[0] if records else None)
    trials = {record.trial: record.state for record in records}
    metrics = [record.metric for record in records]
    metric = max(dict.fromkeys(metrics), key=metrics.count) if metrics else ""
    best = min((one for one in records if one.metric == metric), key=_better_first, default=None)
    told = [one.source for one in records] + ([entry.source] if entry else [])
    times = [one.written_at for one in records] + ([entry.written_at] if entry else [])
    return TaskSummary(
        task=task,
        title=entry.title if entry else "",
        modality=first.modality if first else "",
        task_kind=first.task_kind if first else "",
        rows=(entry.rows or 0) if entry else 0,
        outputs=(entry.outputs or 0) if entry else 0,
        trials=len(trials),
        failed=sum(state == TrialState.FAILED for state in trials.values()),
        records=len(records),
        scores=scores,
        metric=metric,
        best=best.value if best else None,
        winner=label_of(best) if best and best.value is not None else "",
        sources=tuple(dict.fromkeys(filter(None, told))),
        newest=max(times, default=0.0),
        is_embedded=bool(entry and entry.embedding),
    )


def _of_trial(records: Sequence[Record]) -> TrialSummary:
    first, best = records[0], min(records, key=_better_first)
    times = [one.seconds for one in records if one.seconds is not None]
    return TrialSummary(
        trial=first.trial,
        label=label_of(first),
        backbone=first.backbone,
        state=str(first.state),
        metric=first.metric,
        curve={one.epoch or 0: one.value for one in records if one.value is not None},
        best=best.value,
        seconds=max(times, default=None),
        device=first.device,
        source=first.source,
        weight=min(one.weight for one in records),
    )


def _best_first(records: Sequence[Record]) -> tuple[str, bool, float]:
    best = min(records, key=_better_first)
    return best.metric, *_better_first(best)


def _better_first(record: Record) -> tuple[bool, float]:
    return record.better is None, -(record.better or 0.0)
