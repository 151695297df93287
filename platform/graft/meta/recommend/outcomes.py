"""What came of each candidate on each task: the records of a memory, one value a candidate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graft.meta.memory.records import Flat, Record, flat_strategy


@dataclass(frozen=True, order=True)
class Candidate:
    """What can be tried: a backbone, under a strategy where one is known.

    Attributes:
        backbone: its name.
        strategy_json: canonical, with sorted keys; empty where only backbones are told apart.
    """

    backbone: str
    strategy_json: str = ""

    @property
    def fields(self) -> Flat:
        """The strategy on one level, with the backbone."""
        flat = flat_strategy(self.strategy_json) if self.strategy_json else {}
        return {**flat, "backbone": self.backbone}


@dataclass(frozen=True)
class Outcome:
    """What came of a candidate on a task.

    Attributes:
        value: its best one over the epochs, more is better; of several trials the mean. None if all failed.
        seconds: that its training took; None if nobody has told.
        weight: trust in it, in (0, 1].
        curve: (epoch, planned epochs, value) of its longest trial; empty where no epochs are known.
    """

    value: float | None
    seconds: float | None = None
    weight: float = 1.0
    curve: tuple[tuple[int, int, float], ...] = ()


@dataclass(frozen=True)
class TaskOutcomes:
    """All that is known of one task.

    Attributes:
        task: its name.
        metric: what the values are.
        is_loss: whether less of the metric is better; the values here are turned.
        outcomes: of each candidate.
        left_out: records without a usable value whose trial has not failed, or of another metric.
    """

    task: str
    metric: str
    is_loss: bool
    outcomes: Mapping[Candidate, Outcome] = field(default_factory=dict)
    left_out: int = 0

    @property
    def values(self) -> dict[Candidate, float]:
        """Of those that came to one."""
        return {at: one.value for at, one in self.outcomes.items() if one.value is not None}


def outcomes_of(
    records: Iterable[Record], weight_of: Mapping[str, float] | None = None, metrics: Mapping[str, str] | None = None
) -> dict[str, TaskOutcomes]:
    """The outcomes of each task, in the order in which the records name them.

    Args:
        records: of any number of tasks. Where a task has several metrics, the one that tells of the most candidates
            counts; of equals one that is not of training rows, of which more is better, and the first by name.
        weight_of: trust in a source, by its name; a factor beside the weight of a record.
        metrics: task -> the metric that counts, for tasks in which the user has chosen one.
    """
    by_task: dict[str, list[Record]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    chosen = metrics or {}
    return {task: _of_task(task, rows, weight_of or {}, chosen.get(task)) for task, rows in by_task.items()}


def _of_task(task: str, rows: Sequence[Record], weights: Mapping[str, float], wanted: str | None) -> TaskOutcomes:
    usable = [record.value is not None and math.isfinite(record.value) for record in rows]
    metric = wanted or _that_counts([row for row, is_usable in zip(rows, usable, strict=True) if is_usable] or rows)
    trials: dict[tuple[str, str, str], list[Record]] = {}
    left_out = 0
    for record, is_usable in zip(rows, usable, strict=True):
        if record.metric == metric and (is_usable or record.state == "failed"):
            trials.setdefault((record.backbone, record.strategy_json or "", record.trial), []).append(record)
        else:
            left_out += 1
    found: dict[Candidate, list[Outcome]] = {}
    for (backbone, strategy, _), told in trials.items():
        found.setdefault(Candidate(backbone, strategy), []).append(_of_trial(told, weights))
    is_loss = any(record.direction == "min" for record in rows if record.metric == metric)
    return TaskOutcomes(task, metric, is_loss, {at: _mean(of) for at, of in found.items()}, left_out)


def _that_counts(rows: Sequence[Record]) -> str:
    """The metric by which candidates are compared; how often one was written down is no merit."""
    told: dict[str, set[tuple[str, str]]] = {}
    losses = {row.metric for row in rows if row.direction == "min"}
    for row in rows:
        told.setdefault(row.metric, set()).add((row.backbone, row.strategy_json or ""))
    return min(told, key=lambda name: (-len(told[name]), name.lower().startswith("train"), name in losses, name))


def _of_trial(rows: Sequence[Record], weights: Mapping[str, float]) -> Outcome:
    curve: list[tuple[int, int, float]] = []
    best, seconds, weight, failed = -math.inf, 0.0, 1.0, False
    for one in rows:
        failed = failed or one.state == "failed"
        weight = min(weight, one.weight * weights.get(one.source, 1.0) if weights else one.weight)
        seconds = max(seconds, one.seconds or 0.0)
        value = one.better
        if value is not None and math.isfinite(value):
            best = max(best, value)
            if one.epoch is not None:
                curve.append((one.epoch, one.epochs or 0, value))
    planned = max((length for _, length, _ in curve), default=0) or max((at for at, *_ in curve), default=0)
    return Outcome(
        None if failed or best == -math.inf else best,
        seconds or None,
        max(weight, 1e-3),
        tuple(sorted((at, planned, value) for at, _, value in curve)),
    )


def _mean(of: Sequence[Outcome]) -> Outcome:
    """Of several trials of one candidate."""
    if len(of) == 1:
        return of[0]
    values = [one.value for one in of if one.value is not None]
    seconds = [one.seconds for one in of if one.seconds is not None]
    return Outcome(
        sum(values) / len(values) if values else None,
        sum(seconds) / len(seconds) if seconds else None,
        max(one.weight for one in of),
        max((one.curve for one in of), key=len),
    )
