"""What the task memory holds: results of trials, scores of backbones, and the tasks that they belong to.

All three are plain values that say nothing of single samples. A learning curve is the records of one trial, one for
each epoch. What is stored on disk is `schema`; here is what the rest of graft works with.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, Protocol

from graft.spec.space.flat import flattened

Direction = Literal["max", "min"]
Flat = Mapping[str, str | int | float | bool]


class TrialState(StrEnum):
    """How the trial of a record ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True)
class Record:
    """What one strategy gave on one task after one epoch; what one backbone gave, where no strategy is known.

    Attributes:
        task: name of the task; the same data, split and question have the same.
        modality: kind of the samples, ``image``.
        task_kind: what is asked of them, ``classification``.
        backbone: the pretrained network, by its name in `graft zoo ls`.
        metric: the number that `value` is, ``accuracy``, of the validation samples.
        direction: whether more or less of it is better.
        value: None if the trial failed before it had any.
        strategy_json: the canonical strategy as JSON with sorted keys; None if it is not known.
        epoch: 1-based epoch after which the value was taken; None if the trial is known by its end only.
        epochs: length of the training that the trial was planned for; what its schedule depends on.
        seconds: from the start of the trial to the value, in training; None if not known.
        state: how the trial ended.
        trial: what the records of one learning curve share, and no other trial of any source has.
        device: that it was trained on, as text.
        source: where it comes from: ``run:…``, ``mlflow:…``, ``import:…``, ``portfolio``.
        versions: package -> version, of what decides results.
        written_at: seconds since the epoch, when the value was taken.
        weight: trust in the source, > 0, at most 1; age is not in it (`ageing`).
    """

    task: str
    modality: str
    task_kind: str
    backbone: str
    metric: str
    direction: Direction
    value: float | None
    strategy_json: str | None = None
    epoch: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    state: TrialState = TrialState.FINISHED
    trial: str = ""
    device: str = ""
    source: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    written_at: float = 0.0
    weight: float = 1.0

    @property
    def strategy(self) -> Flat | None:
        """The strategy on one level, as `Strategy.flat` writes it."""
        return None if self.strategy_json is None else flat_strategy(self.strategy_json)

    @property
    def nested_strategy(self) -> Mapping[str, Any] | None:
        """The strategy as `Strategy.read_stored` takes it."""
        return None if self.strategy_json is None else json.loads(self.strategy_json)

    @property
    def better(self) -> float | None:
        """The value with its sign turned where less is better, so that more always is."""
        return self.value if self.value is None or self.direction == "max" else -self.value


@dataclass(frozen=True)
class Scores:
    """A cheap score of a backbone on a task, in closed form on features: what screening computes.

    Attributes:
        task: name of the task.
        backbone: the pretrained network.
        score_name: ``logme``, ``h_score``, …; with a depth or resolution behind ``@`` if it is not the whole network at
            its usual one.
        value: more is better.
        source: where it comes from.
        written_at: seconds since the epoch.
    """

    task: str
    backbone: str
    score_name: str
    value: float
    source: str = ""
    written_at: float = 0.0


@dataclass(frozen=True)
class TaskEntry:
    """What is known of a task without its samples.

    Attributes:
        task: its name.
        modality: kind of the samples.
        task_kind: what is asked of them.
        rows: training samples.
        outputs: classes, labels or values that a model gives for a sample.
        meta_features: name -> number, of the data alone (`graft.meta.task_embedding.meta_features`).
        embedding: the task vector, whose entries mean the same for all of one `embedding_version`; empty if none was
            made.
        embedding_version: of the way it is made, with the reference backbone.
        output_names: of classes or labels, only where the user asked to keep them.
        title: what people call it: the job's name.
        source: where it comes from.
        written_at: seconds since the epoch.
        weight: trust in the source, > 0, at most 1.
    """

    task: str
    modality: str
    task_kind: str
    rows: int
    outputs: int
    meta_features: Mapping[str, float] = field(default_factory=dict)
    embedding: tuple[float, ...] = ()
    embedding_version: str = ""
    output_names: tuple[str, ...] = ()
    title: str = ""
    source: str = ""
    written_at: float = 0.0
    weight: float = 1.0


class Memory(Protocol):
    """All that was learned from earlier tasks; empty if there were none."""

    def records(self) -> Sequence[Record]:
        """Results of trials, in the order in which they were written; those of one trial by epoch."""
        ...

    def tasks(self) -> Sequence[TaskEntry]:
        """The tasks, each once: the newest entry of each."""
        ...

    def scores(self) -> Sequence[Scores]:
        """Scores of backbones, the newest of each task, backbone and name."""
        ...


@dataclass(frozen=True)
class HeldMemory:
    """A memory that is held as it was given: of a file, of a test, of a part of another memory."""

    held_records: Sequence[Record] = ()
    held_tasks: Sequence[TaskEntry] = ()
    held_scores: Sequence[Scores] = ()

    def records(self) -> Sequence[Record]:
        """See `Memory.records`."""
        return self.held_records

    def tasks(self) -> Sequence[TaskEntry]:
        """See `Memory.tasks`."""
        return self.held_tasks

    def scores(self) -> Sequence[Scores]:
        """See `Memory.scores`."""
        return self.held_scores


@lru_cache(maxsize=65_536)
def flat_strategy(strategy_json: str) -> Flat:
    """A strategy on one level; nested as `Strategy` writes it, or flat already."""
    return dict(flattened(json.loads(strategy_json)))
