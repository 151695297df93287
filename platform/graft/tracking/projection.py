"""From the journal to runs: what each record means for a tracking store. Pure; sends nothing.

One parent run an experiment, one nested run a trial, losers too. Names follow MLflow's charts: what stands before the
slash is a section, a metric with points over epochs is a line, one at step 0 a bar (``final/…``).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.core.errors import ArtifactError
from graft.tracking.events import (
    DatasetReady,
    DuplicateSkipped,
    Evaluated,
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ExperimentStatus,
    ModelRegistered,
    PhaseFinished,
    PhaseStarted,
    SearchEnded,
    StageFailed,
    StageFinished,
    StageSkipped,
    TrialExploited,
    TrialFinished,
    TrialPlaced,
    TrialReported,
    TrialStarted,
    TrialStatus,
    WinnerChosen,
)
from graft.tracking.flattening import flatten
from graft.tracking.operations import (
    PARENT,
    CloseRun,
    DropGhosts,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    RunStatus,
    SetTags,
    UploadFiles,
    UploadJson,
)

JOB_FILES = ("job.yaml",)
RESULT_FILES = ("job.yaml", "leaderboard.json", "leaderboard.csv", "report.json")

_TRIAL_ENDS: Mapping[TrialStatus, RunStatus] = {
    TrialStatus.COMPLETED: "FINISHED",
    TrialStatus.STOPPED: "KILLED",
    TrialStatus.FAILED: "FAILED",
    TrialStatus.INTERRUPTED: "KILLED",
}
_EXPERIMENT_ENDS: Mapping[ExperimentStatus, RunStatus] = {
    ExperimentStatus.COMPLETED: "FINISHED",
    ExperimentStatus.FAILED: "FAILED",
    ExperimentStatus.INTERRUPTED: "KILLED",
}
# A bare metric name is a validation metric, but for these.
_BARE = frozenset({"lr", "epoch_seconds"})


@dataclass
class _Seen:
    """What of the journal so far is needed later."""

    experiment: ExperimentStarted | None = None
    dataset: DatasetReady | None = None
    trials: dict[str, TrialStarted] = field(default_factory=dict)
    results: dict[str, TrialFinished] = field(default_factory=dict)
    duplicates: int = 0
    exploits: int = 0
    last_time: float = 0.0


class Projection:
    """Turns records, in the order of the journal, into operations.

    Operations depend on all records before; whoever starts in the middle feeds those first and drops their operations.
    """

    def __init__(self) -> None:
        self._seen = _Seen()
        self._rules: Mapping[type[Event], Callable[[Any], Iterator[Operation]]] = {
            ExperimentStarted: self._experiment_started,
            DatasetReady: self._dataset_ready,
            TrialStarted: self._trial_started,
            TrialReported: self._trial_reported,
            TrialFinished: self._trial_finished,
            TrialExploited: self._trial_exploited,
            TrialPlaced: self._trial_placed,
            DuplicateSkipped: self._duplicate_skipped,
            PhaseStarted: _phase_started,
            PhaseFinished: _phase_finished,
            SearchEnded: _search_ended,
            WinnerChosen: self._winner_chosen,
            ExperimentFinished: self._experiment_finished,
            StageFinished: _stage_finished,
            StageSkipped: _stage_skipped,
            StageFailed: _stage_failed,
            Evaluated: _evaluated,
            ModelRegistered: _model_registered,
        }

    @property
    def experiment_key(self) -> str:
        """The key of the experiment whose journal this is.

        Raises:
            ArtifactError: the journal has not begun with `ExperimentStarted`.
        """
        return self._experiment().key

    def operations(self, event: Event) -> list[Operation]:
        """What the record asks for; empty for a kind that MLflow does not show."""
        self._seen.last_time = max(self._seen.last_time, event.time)
        rule = self._rules.get(type(event))
        return list(rule(event)) if rule else []

    def open_run(self, run: str) -> OpenRun:
        """How a run that has been seen is opened, for one that is missing in the store."""
        if run == PARENT:
            return self._open_parent(self._experiment())
        return self._open_trial(self._seen.trials[run])

    def abandoned(self) -> list[Operation]:
        """What to do when the driver is gone without a last record: no run is left running for ever."""
        status = "interrupted: the driver process ended; resume the experiment to go on"
        ends = [*self._end_open_trials("interrupted: the driver process ended", self._seen.last_time)]
        return [*ends, SetTags(PARENT, {"graft.status": status}), CloseRun(PARENT, "KILLED", self._seen.last_time)]

    def _experiment(self) -> ExperimentStarted:
        if self._seen.experiment is None:
            raise ArtifactError("the journal must begin with ExperimentStarted, but does not; it is not graft's")
        return self._seen.experiment

    def _experiment_started(self, event: ExperimentStarted) -> Iterator[Operation]:
        self._seen.experiment = event
        yield self._open_parent(event)
        versions = {f"graft.version.{package}": version for package, version in event.versions.items()}
        yield SetTags(PARENT, {"graft.status": "running", "graft.device": event.device, **versions})
        yield LogParams(PARENT, flatten(event.job))
        yield UploadFiles(PARENT, JOB_FILES)

    def _open_parent(self, event: ExperimentStarted) -> OpenRun:
        commit = {"mlflow.source.git.commit": event.commit} if event.commit else {}
        tags = {"graft.role": "experiment", "graft.experiment": event.name, "mlflow.source.name": "graft", **commit}
        return OpenRun(PARENT, event.name, event.time, tags)

    def _open_trial(self, event: TrialStarted) -> OpenRun:
        tags = {"graft.role": "trial", "graft.experiment": self._experiment().name, "graft.trial": event.trial}
        return OpenRun(event.trial, f"{event.trial} {event.label}", event.time, {**tags, "mlflow.source.name": "graft"})

    def _dataset_ready(self, event: DatasetReady) -> Iterator[Operation]:
        self._seen.dataset = event
        yield self._log_dataset(PARENT, event)
        yield SetTags(PARENT, {"graft.fingerprint": event.fingerprint, "graft.quarantined": str(len(event.quarantine))})
        if event.quarantine:
            yield UploadJson(PARENT, "quarantine.json", [dict(item) for item in event.quarantine])

    def _log_dataset(self, run: str, event: DatasetReady) -> LogDataset:
        name = str(self._experiment().job.get("name", self._experiment().name))
        return LogDataset(run, name, event.fingerprint, event.source, event.counts)

    def _trial_started(self, event: TrialStarted) -> Iterator[Operation]:
        goes_on = event.trial in self._seen.trials
        self._seen.trials[event.trial] = event
        self._seen.results.pop(event.trial, None)
        yield self._open_trial(event)
        if not goes_on:
            # A trial that goes on may have copied another's strategy since, and a parameter of a run cannot change.
            seed = {} if event.seed is None else {"seed": str(event.seed)}
            yield LogParams(event.trial, {**flatten(event.strategy), **seed})
        origin = {} if event.start is None else {"graft.parent": event.start[0]}
        yield SetTags(event.trial, {"graft.status": "running", "graft.phase": str(event.phase + 1), **origin})
        if self._seen.dataset is not None:
            yield self._log_dataset(event.trial, self._seen.dataset)

    def _trial_reported(self, event: TrialReported) -> Iterator[Operation]:
        if event.trial not in self._seen.trials:
            return
        values = {metric_name(name): value for name, value in event.metrics.items()}
        yield from _log(event.trial, {**values, "epoch_seconds": event.seconds}, event.time, event.epoch)

    def _trial_finished(self, event: TrialFinished) -> Iterator[Operation]:
        self._seen.results[event.trial] = event
        if event.trial not in self._seen.trials:
            return
        values = {"final/epochs": float(event.epochs), "final/seconds": event.seconds, **_final(event.metrics)}
        yield from _log(event.trial, values, event.time, 0)
        yield SetTags(event.trial, {"graft.status": status_text(event)})
        yield CloseRun(event.trial, _TRIAL_ENDS[event.status], event.time)

    def _trial_exploited(self, event: TrialExploited) -> Iterator[Operation]:
        """A parameter of a run cannot change in MLflow, so what was varied is a metric over epochs, and a tag."""
        self._seen.exploits += 1
        numbers = {key: new for key, (_, new) in event.changes.items() if _is_number(new)}
        told = ", ".join(f"{key} {old} -> {new}" for key, (old, new) in event.changes.items())
        yield from _log(
            event.trial, {f"strategy/{key}": float(new) for key, new in numbers.items()}, event.time, event.epoch
        )
        yield SetTags(
            event.trial,
            {
                "graft.parent": event.donor,
                f"graft.exploit.{event.segment}": f"epoch {event.epoch}: copies {event.donor}; {told}",
            },
        )
        yield SetTags(PARENT, {"graft.exploits": str(self._seen.exploits)})

    def _trial_placed(self, event: TrialPlaced) -> Iterator[Operation]:
        yield SetTags(event.trial, {"graft.nodes": ", ".join(event.nodes)})

    def _duplicate_skipped(self, event: DuplicateSkipped) -> Iterator[Operation]:
        self._seen.duplicates += 1
        yield SetTags(PARENT, {"graft.duplicates": str(self._seen.duplicates)})

    def _winner_chosen(self, event: WinnerChosen) -> Iterator[Operation]:
        yield SetTags(PARENT, {"graft.winner": event.trial, "graft.winner.reason": event.reason})
        if event.trial in self._seen.trials:
            yield SetTags(event.trial, {"graft.winner": "true"})
        result = self._seen.results.get(event.trial)
        if result is not None:
            yield from _log(PARENT, _final(result.metrics), event.time, 0)

    def _experiment_finished(self, event: ExperimentFinished) -> Iterator[Operation]:
        yield from self._end_open_trials(f"interrupted: the experiment was {event.status}", event.time)
        yield from _log(PARENT, {"final/seconds": event.seconds}, event.time, 0)
        yield UploadFiles(PARENT, RESULT_FILES)
        status = "complete" if event.status is ExperimentStatus.COMPLETED else _join(event.status, event.detail)
        yield SetTags(PARENT, {"graft.status": status})
        yield CloseRun(PARENT, _EXPERIMENT_ENDS[event.status], event.time)
        yield DropGhosts()

    def _end_open_trials(self, status: str, time: float) -> Iterator[Operation]:
        for trial in self._seen.trials:
            if trial not in self._seen.results:
                yield SetTags(trial, {"graft.status": status})
                yield CloseRun(trial, "KILLED", time)


def status_text(event: TrialFinished) -> str:
    """How a trial ended, in words: ``complete``, ``stopped at rung 3``, ``failed: non-finite loss at epoch 2``."""
    if event.status is TrialStatus.COMPLETED:
        return "complete"
    if event.status is TrialStatus.STOPPED and event.rung is not None:
        return f"stopped at rung {event.rung}"
    return _join(event.status, event.reason)


def metric_name(name: str) -> str:
    """The name under which a trial's metric is shown: ``accuracy`` is ``val/accuracy``; names with a section stay."""
    return name if "/" in name or name in _BARE else f"val/{name}"


def _stage_finished(event: StageFinished) -> Iterator[Operation]:
    yield from _log(PARENT, {f"stage_seconds/{event.stage}": event.seconds}, event.time, 0)
    yield SetTags(PARENT, {f"graft.stage.{event.stage}": "finished"})


def _stage_skipped(event: StageSkipped) -> Iterator[Operation]:
    yield SetTags(PARENT, {f"graft.stage.{event.stage}": _join("skipped", event.detail)})


def _stage_failed(event: StageFailed) -> Iterator[Operation]:
    yield SetTags(PARENT, {f"graft.stage.{event.stage}": _join("failed", event.detail)})


def _phase_started(event: PhaseStarted) -> Iterator[Operation]:
    about = f"{event.scheduler} over {event.searcher}, to epoch {event.epochs}"
    yield SetTags(PARENT, {f"graft.phase.{event.phase + 1}": about})


def _phase_finished(event: PhaseFinished) -> Iterator[Operation]:
    values = {f"phase_{event.phase + 1}/trials": float(event.trials), f"phase_{event.phase + 1}/seconds": event.seconds}
    if event.best is not None:
        values[f"phase_{event.phase + 1}/best"] = event.best
    yield from _log(PARENT, values, event.time, 0)


def _search_ended(event: SearchEnded) -> Iterator[Operation]:
    yield SetTags(PARENT, {"graft.search.stopped_by": _join(event.by, event.detail)})


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _evaluated(event: Evaluated) -> Iterator[Operation]:
    values = {f"final/test_{name}": value for name, value in event.metrics.items()}
    for name, (low, high) in event.intervals.items():
        values |= {f"final/test_{name}_low": low, f"final/test_{name}_high": high}
    yield from _log(PARENT, values, event.time, 0)


def _model_registered(event: ModelRegistered) -> Iterator[Operation]:
    yield SetTags(PARENT, {"graft.model_uri": event.uri, "graft.model_version": event.version})


def _final(metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"final/{metric_name(name).replace('/', '_')}": value for name, value in metrics.items()}


def _log(run: str, values: Mapping[str, float], time: float, step: int) -> Iterator[Operation]:
    """Points of the finite values; MLflow would store infinity as 1.8e308, which ruins every chart and order."""
    yield LogMetrics(
        run, tuple(Point(name, value, time, step) for name, value in values.items() if math.isfinite(value))
    )
    odd = [name for name, value in values.items() if not math.isfinite(value)]
    if odd:
        yield SetTags(run, {"graft.nonfinite": f"{', '.join(odd)} at epoch {step}" if step else ", ".join(odd)})


def _join(status: str, reason: str) -> str:
    return f"{status}: {reason}" if reason else str(status)
