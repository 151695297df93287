"""What has to be done to a tracking store, as data: each can be repeated without a second effect.

``run`` names a run within the experiment: a trial such as ``t07``, or `EXPERIMENT_RUN`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

EXPERIMENT_RUN = ""

RunStatus = Literal["FINISHED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Point:
    """One value of a metric; `time` in seconds since the epoch, as recorded, never as sent."""

    name: str
    value: float
    time: float
    step: int


@dataclass(frozen=True)
class OpenRun:
    """The run exists and is running; every run but `EXPERIMENT_RUN` is nested in it."""

    run: str
    name: str
    time: float
    tags: Mapping[str, str]


@dataclass(frozen=True)
class LogParams:
    """The run has these params."""

    run: str
    params: Mapping[str, str]


@dataclass(frozen=True)
class LogMetrics:
    """The run has these points."""

    run: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class SetTags:
    """The run has these tags; the last value stays."""

    run: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class LogDataset:
    """The run used this data set."""

    run: str
    name: str
    fingerprint: str
    source: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class UploadFiles:
    """Those of the named files that the experiment's directory holds are artifacts of the run."""

    run: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class UploadJson:
    """`value` is an artifact of the run, as JSON."""

    run: str
    name: str
    value: Any


@dataclass(frozen=True)
class UploadText:
    """`text` is an artifact of the run."""

    run: str
    name: str
    text: str


@dataclass(frozen=True)
class UploadTable:
    """A table is an artifact of the run, in the form that MLflow shows as one."""

    run: str
    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class ShowViews:
    """The experiment has these saved views, tag -> value; a store that does not take them is left alone."""

    tags: Mapping[str, str]


@dataclass(frozen=True)
class CloseRun:
    """The run has ended at `time`."""

    run: str
    status: RunStatus
    time: float


@dataclass(frozen=True)
class DropGhosts:
    """No run of the experiment exists twice: an answer that was lost may have left one more."""

    run: str = EXPERIMENT_RUN


Upload = UploadFiles | UploadJson | UploadText | UploadTable
Operation = OpenRun | LogParams | LogMetrics | SetTags | LogDataset | Upload | ShowViews | CloseRun | DropGhosts


def batched(operations: Iterable[Operation]) -> Iterator[Operation]:
    """The same operations with the points of each run together: one call a run instead of one an epoch.

    Points wait for the end of their run or of the sequence, whichever comes first; nothing else changes its place.
    """
    waiting: dict[str, list[Point]] = {}
    for operation in operations:
        if isinstance(operation, LogMetrics):
            waiting.setdefault(operation.run, []).extend(operation.points)
            continue
        if isinstance(operation, CloseRun) and operation.run in waiting:
            yield LogMetrics(operation.run, tuple(waiting.pop(operation.run)))
        yield operation
    for run, points in waiting.items():
        yield LogMetrics(run, tuple(points))
