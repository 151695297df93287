"""What a journal says the tracking store should hold, and how far that is from what it does hold. Pure.

Expected is what the projection asks for, in the order of the journal: runs by their key, and points of metrics by run,
name, step and time. So a run that went on after a crash counts once, and whatever the projection learns to show is
counted without a word here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graft.core.errors import ArtifactError
from graft.journal.events import ExperimentStarted, TrialStarted, WriterOpened
from graft.journal.lines import Line
from graft.tracking.projection.operations import LogMetrics, OpenRun, Operation
from graft.tracking.projection.projection import Projection
from graft.tracking.target import run_key

PointPosition = tuple[int, int]
"""Step, and time in milliseconds since the epoch: where a point of a metric stands."""


def experiment_key(lines: Iterable[Line]) -> str | None:
    """Whose journal it is; None while it has not begun, or where its beginning is damaged."""
    return next((line.event.key for line in lines if isinstance(line.event, ExperimentStarted)), None)


@dataclass
class Expected:
    """What a journal asks of a store.

    Attributes:
        records: whole records.
        damage: lines that cannot be read, in order; the last may be torn.
        fenced: records that do not count, because their writer had lost the lease.
        trials: that were started.
        experiment_key: whose journal it is; None while it has not begun, or where its beginning is damaged.
        points: run key -> name of a metric -> its points; a run without any is there too.
    """

    records: int = 0
    damage: list[Line] = field(default_factory=list)
    fenced: int = 0
    trials: set[str] = field(default_factory=set)
    experiment_key: str | None = None
    points: dict[str, dict[str, set[PointPosition]]] = field(default_factory=dict)

    @classmethod
    def of(cls, lines: Iterable[Line]) -> "Expected":
        """Count the lines of a journal."""
        expected, projection = cls(), Projection()
        for line in lines:
            expected._take(line, projection)
        return expected

    @property
    def is_damaged(self) -> bool:
        """Whether a line other than a torn last one cannot be read."""
        return any(not line.is_torn for line in self.damage)

    @property
    def metrics(self) -> int:
        """Points of all metrics."""
        return sum(len(positions) for run in self.points.values() for positions in run.values())

    def _take(self, line: Line, projection: Projection) -> None:
        if line.problem:
            self.damage.append(line)
            return
        self.records += 1
        self.fenced += line.is_fenced
        if line.event is None or line.is_fenced or isinstance(line.event, WriterOpened):
            return
        if isinstance(line.event, TrialStarted):
            self.trials.add(line.event.trial)
        if isinstance(line.event, ExperimentStarted):
            self.experiment_key = line.event.key
        if self.experiment_key is not None:
            self._expect(_operations(projection, line, is_damaged=bool(self.damage)))

    def _expect(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            if not isinstance(operation, OpenRun | LogMetrics):
                continue
            run = self.points.setdefault(run_key(self.experiment_key or "", operation.run), {})
            for point in operation.points if isinstance(operation, LogMetrics) else ():
                run.setdefault(point.name, set()).add((point.step, round(point.time * 1000)))


@dataclass(frozen=True)
class Found:
    """A run that a store holds.

    Attributes:
        key: by which it is found.
        points: name of a metric -> where it has points; the same position twice if two values stand there.
    """

    key: str
    points: Mapping[str, Sequence[PointPosition]]


@dataclass(frozen=True)
class AuditResult:
    """Both sides, counted.

    Attributes:
        runs_expected: of the journal.
        runs_found: that the store holds; one more for every double.
        metrics_expected: points.
        metrics_found: points in the store, of metrics that the journal knows.
        lost: runs and points that are expected and not there.
        doubled: runs and points that are there once more than expected.
    """

    runs_expected: int
    runs_found: int
    metrics_expected: int
    metrics_found: int
    lost: int
    doubled: int


def compare(
    expected: Expected, found: Sequence[Found], stored_name: Callable[[str], str] = lambda name: name
) -> AuditResult:
    """Hold a store against a journal.

    Of several runs with one key the fullest is held against the journal, and the others are doubles, whatever they
    hold. Metrics that the journal does not know were logged by somebody else, and are not counted. What else the store
    holds beyond the journal is a double; but if a record is damaged, only what stands beside an expected point of the
    same step.

    Args:
        expected: of the journal.
        found: in the store.
        stored_name: under which name the store keeps a metric.
    """
    fullest: dict[str, Found] = {}
    for run in sorted(found, key=lambda one: sum(map(len, one.points.values()))):
        fullest[run.key] = run
    lost = len(expected.points.keys() - fullest.keys())
    strangers = 0 if expected.is_damaged else len(fullest.keys() - expected.points.keys())
    doubled = len(found) - len(fullest) + strangers
    metrics = 0
    for key, name, wanted in _positions(expected):
        there = fullest[key].points.get(stored_name(name), ()) if key in fullest else ()
        metrics += len(there)
        lost += len(wanted - set(there))
        doubled += _doubled(wanted, there, is_damaged=expected.is_damaged)
    return AuditResult(len(expected.points), len(found), expected.metrics, metrics, lost, doubled)


def _doubled(wanted: set[PointPosition], there: Sequence[PointPosition], *, is_damaged: bool) -> int:
    steps = {step for step, _ in wanted}
    counted = [position for position in there if not is_damaged or position[0] in steps]
    return len(counted) - len(wanted & set(there))


def _positions(expected: Expected) -> Iterator[tuple[str, str, set[PointPosition]]]:
    for key, metrics in expected.points.items():
        for name, positions in metrics.items():
            yield key, name, positions


def _operations(projection: Projection, line: Line, *, is_damaged: bool) -> list[Operation]:
    """A record that refers to a damaged one means nothing to a store; in a whole journal there is none."""
    assert line.event is not None
    try:
        return projection.operations(line.event)
    except (ArtifactError, KeyError):
        if not is_damaged:
            raise
        return []
