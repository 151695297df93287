"""What a record is, and the records of what surrounds a run: machines, helpers, the time that is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Event:
    """One record.

    Attributes:
        time: seconds since the epoch, fixed when the journal records it and never changed after: a replay to MLflow
            must carry the same time stamps, or it would make second rows.
    """

    time: float = field(default=0.0, kw_only=True)


@dataclass(frozen=True)
class ResourcesAwaited(Event):
    """Something cannot go on yet; `what` says what it waits for, and is empty when it no longer does."""

    what: str


@dataclass(frozen=True)
class NodeChanged(Event):
    """Something happened to a machine on which trials are trained.

    Attributes:
        node: Ray's id of it.
        address: what users call it, ``10.77.0.12``.
        state: ``silent``, ``back``, ``leaving`` (it will be taken away) or ``gone``.
        trials: that were trained there.
        text: one line for the user.
    """

    node: str
    address: str
    state: str
    trials: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class NodesCounted(Event):
    """How many nodes a cluster that grows and shrinks has now, and what has been paid for since the experiment began.

    Attributes:
        nodes: of each type.
        node_seconds: of each type, of all runs of the experiment together.
        cost: of them, at the prices of the job.
        an_hour: what those that are there now cost an hour.
    """

    nodes: Mapping[str, int]
    node_seconds: Mapping[str, float]
    cost: float
    an_hour: float


@dataclass(frozen=True)
class TimeLeftEstimated(Event):
    """What the display says: so many seconds until the run is over, give or take `band`."""

    seconds: float
    band: float


@dataclass(frozen=True)
class RelayEnded(Event):
    """The process that brings records to MLflow has ended before the run; `restarts` counts its earlier ones."""

    reason: str
    restarts: int
    is_restarted: bool


@dataclass(frozen=True)
class SystemSampled(Event):
    """How busy the driver's machine is: name -> value, such as ``cpu_utilization_percentage``."""

    metrics: Mapping[str, float]
