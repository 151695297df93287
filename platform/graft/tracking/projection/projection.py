"""From the journal to runs: what each record means for a tracking store. Pure; sends nothing.

One parent run an experiment (`experiment_run`), one nested run a trial (`trial_runs`), losers too. Names follow
MLflow's charts: what stands before the slash is a section, a metric with points over epochs is a line, one at step 0 a
bar (``final/…``).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graft.journal.events import (
    BackbonesScreened,
    DatasetReady,
    DuplicateSkipped,
    EnsembleChosen,
    Evaluated,
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ExperimentStatus,
    ImportanceEstimated,
    MetaModelMade,
    ModelRegistered,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RecommendationsMade,
    SearchEnded,
    StageFailed,
    StageFinished,
    StageSkipped,
    SystemSampled,
    TrialEstimated,
    TrialExploited,
    TrialFinished,
    TrialNoted,
    TrialPlaced,
    TrialReported,
    TrialStarted,
    WinnerChosen,
)
from graft.tracking.projection import experiment_run
from graft.tracking.projection.flattening import flatten
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    CloseRun,
    DropGhosts,
    LogParams,
    OpenRun,
    Operation,
    RunStatus,
    SetTags,
    UploadFiles,
    UploadJson,
)
from graft.tracking.projection.standings import standings
from graft.tracking.projection.state import Seen
from graft.tracking.projection.trial_runs import TrialRuns, dataset_of, final, join, log

JOB_FILES = ("job.yaml",)
RESULT_FILES = ("job.yaml", "leaderboard.json", "leaderboard.csv")

_EXPERIMENT_ENDS: Mapping[ExperimentStatus, RunStatus] = {
    ExperimentStatus.COMPLETED: "FINISHED",
    ExperimentStatus.FAILED: "FAILED",
    ExperimentStatus.INTERRUPTED: "KILLED",
}


@dataclass(frozen=True)
class ModelDescription:
    """What a registry says of the registered model, and of one version of it."""

    model: str
    version: str


class Projection:
    """Turns records, in the order of the journal, into operations.

    Operations depend on all records before; whoever starts in the middle feeds those first and drops their operations.
    """

    def __init__(self) -> None:
        self._seen = Seen()
        self._trials = TrialRuns(self._seen)
        self._rules: Mapping[type[Event], Callable[[Any], Iterator[Operation]]] = {
            ExperimentStarted: self._experiment_started,
            PlanMade: self._plan_made,
            DatasetReady: self._dataset_ready,
            TrialStarted: self._trial_started,
            TrialReported: self._trials.reported,
            TrialFinished: self._trial_finished,
            TrialExploited: self._trials.exploited,
            TrialPlaced: self._trials.placed,
            TrialNoted: self._trials.noted,
            DuplicateSkipped: self._duplicate_skipped,
            PhaseStarted: experiment_run.phase_started,
            BackbonesScreened: experiment_run.backbones_screened,
            RecommendationsMade: experiment_run.recommendations_made,
            PhaseFinished: experiment_run.phase_finished,
            SearchEnded: experiment_run.search_ended,
            SystemSampled: lambda event: experiment_run.system(self._seen, event),
            ImportanceEstimated: self._importance_estimated,
            TrialEstimated: experiment_run.estimated,
            WinnerChosen: self._winner_chosen,
            ExperimentFinished: self._experiment_finished,
            StageFinished: experiment_run.stage_finished,
            StageSkipped: experiment_run.stage_skipped,
            StageFailed: experiment_run.stage_failed,
            EnsembleChosen: experiment_run.ensemble,
            Evaluated: self._evaluated,
            MetaModelMade: self._meta_model_made,
            ModelRegistered: self._model_registered,
        }

    @property
    def experiment_key(self) -> str:
        """The key of the experiment whose journal this is.

        Raises:
            ArtifactError: the journal has not begun with `ExperimentStarted`.
        """
        return self._seen.require_experiment().key

    def operations(self, event: Event) -> list[Operation]:
        """What the record asks for; empty for a kind that MLflow does not show."""
        self._seen.last_time = max(self._seen.last_time, event.time)
        rule = self._rules.get(type(event))
        return list(rule(event)) if rule else []

    def open_run(self, run: str) -> OpenRun:
        """How a run that has been seen is opened, for one that is missing in the store."""
        if run == EXPERIMENT_RUN:
            return _open_experiment_run(self._seen.require_experiment())
        return self._trials.open_run(self._seen.trials[run].started)

    def describe_model(self) -> ModelDescription:
        """What is known of the final model."""
        experiment = self._seen.require_experiment()
        job = str(experiment.job.get("name", experiment.name))
        versions = [*experiment_run.outcome(self._seen), f"Found by the graft experiment {experiment.name}."]
        return ModelDescription(f"{experiment_run.purpose(self._seen)}. Job {job} of graft.", "\n\n".join(versions))

    def abandoned(self) -> list[Operation]:
        """What to do when the driver is gone without a last record: no run is left running for ever."""
        status = "interrupted: the driver process ended; resume the experiment to go on"
        time = self._seen.last_time
        views = experiment_run.views(self._seen, time) if self._seen.trials else ()
        return [*self._close("interrupted: the driver process ended", status, "KILLED", time), *views]

    def _experiment_started(self, event: ExperimentStarted) -> Iterator[Operation]:
        self._seen.experiment = event
        self._seen.began = self._seen.began or event.time
        yield _open_experiment_run(event)
        versions = {f"graft.version.{package}": version for package, version in event.versions.items()}
        yield SetTags(EXPERIMENT_RUN, {"graft.status": "running", "graft.device": event.device, **versions})
        yield LogParams(EXPERIMENT_RUN, flatten(event.job))
        yield UploadFiles(EXPERIMENT_RUN, JOB_FILES)

    def _plan_made(self, event: PlanMade) -> Iterator[Operation]:
        self._seen.plan = event
        share = f"{event.cpus:g} CPU, {event.gpus:g} GPU"
        yield SetTags(EXPERIMENT_RUN, {"graft.resources": event.resources, "graft.resources.trial": share})
        yield UploadJson(EXPERIMENT_RUN, "plan.json", dict(event.plan))

    def _dataset_ready(self, event: DatasetReady) -> Iterator[Operation]:
        self._seen.dataset = event
        yield dataset_of(self._seen, EXPERIMENT_RUN)
        yield from experiment_run.dataset(self._seen)

    def _trial_started(self, event: TrialStarted) -> Iterator[Operation]:
        is_first = not self._seen.trials
        yield from self._trials.started(event)
        if is_first:
            yield from experiment_run.views(self._seen, event.time)

    def _trial_finished(self, event: TrialFinished) -> Iterator[Operation]:
        before = experiment_run.comparable(self._seen)
        yield from self._trials.finished(event)
        if experiment_run.comparable(self._seen) != before:
            yield from experiment_run.views(self._seen, event.time)

    def _duplicate_skipped(self, event: DuplicateSkipped) -> Iterator[Operation]:
        self._seen.duplicates += 1
        yield SetTags(EXPERIMENT_RUN, {"graft.duplicates": str(self._seen.duplicates)})

    def _importance_estimated(self, event: ImportanceEstimated) -> Iterator[Operation]:
        self._seen.importance = event
        yield from experiment_run.importance(event)

    def _winner_chosen(self, event: WinnerChosen) -> Iterator[Operation]:
        self._seen.winner = event.trial
        yield SetTags(EXPERIMENT_RUN, {"graft.winner": event.trial, "graft.winner.reason": event.reason})
        winner = self._seen.trials.get(event.trial)
        if winner is not None:
            yield SetTags(event.trial, {"graft.winner": "true"})
            if winner.result is not None:
                yield from log(EXPERIMENT_RUN, final(winner.result.metrics), event.time, 0)
        yield from experiment_run.leaderboard(self._seen)

    def _evaluated(self, event: Evaluated) -> Iterator[Operation]:
        self._seen.evaluated = event
        yield from experiment_run.evaluated(self._seen, event)

    def _meta_model_made(self, event: MetaModelMade) -> Iterator[Operation]:
        self._seen.meta_model = event
        yield from experiment_run.meta_model(event)

    def _model_registered(self, event: ModelRegistered) -> Iterator[Operation]:
        self._seen.registered = event
        yield SetTags(EXPERIMENT_RUN, {"graft.model_uri": event.uri, "graft.model_version": event.version})

    def _experiment_finished(self, event: ExperimentFinished) -> Iterator[Operation]:
        yield from log(EXPERIMENT_RUN, {"final/seconds": event.seconds, **self._search_cost()}, event.time, 0)
        yield UploadFiles(EXPERIMENT_RUN, RESULT_FILES)
        yield from standings(self._seen, event.time)
        status = "complete" if event.status is ExperimentStatus.COMPLETED else join(event.status, event.detail)
        open_trials = f"interrupted: the experiment was {event.status}"
        yield from self._close(open_trials, status, _EXPERIMENT_ENDS[event.status], event.time)
        if self._seen.trials:
            yield from experiment_run.views(self._seen, event.time, is_over=True)
        yield DropGhosts()

    def _search_cost(self) -> dict[str, float]:
        seconds = sum(trial.result.seconds for trial in self._seen.trials.values() if trial.result is not None)
        cost = self._seen.cost(seconds)
        return {} if cost is None else {"final/search_cost": cost}

    def _close(self, open_trials: str, status: str, end: RunStatus, time: float) -> Iterator[Operation]:
        yield from self._trials.end_open(open_trials, time)
        yield from experiment_run.leaderboard(self._seen)
        yield from experiment_run.note(self._seen)
        yield SetTags(EXPERIMENT_RUN, {"graft.status": status})
        yield CloseRun(EXPERIMENT_RUN, end, time)


def _open_experiment_run(event: ExperimentStarted) -> OpenRun:
    commit = {"mlflow.source.git.commit": event.commit} if event.commit else {}
    tags = {"graft.role": "experiment", "graft.experiment": event.name, "mlflow.source.name": "graft", **commit}
    return OpenRun(EXPERIMENT_RUN, event.name, event.time, tags)
