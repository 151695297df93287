"""What of a journal so far is needed to understand its next record, for the runs of a tracking store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graft.core.errors import ArtifactError
from graft.journal.events import (
    DatasetReady,
    Evaluated,
    ExperimentStarted,
    ImportanceEstimated,
    MetaModelMade,
    ModelRegistered,
    PlanMade,
    TrialFinished,
    TrialReported,
    TrialStarted,
)
from graft.spec.metrics import MetricSpec
from graft.spec.tasks.lookup import metric_named

# A bare metric name is a validation metric, but for these.
_BARE = frozenset({"lr", "epoch_seconds"})
_CACHE = "cache/"


@dataclass
class TrialSeen:
    """One trial: how it began, what it has reached, how it ended."""

    started: TrialStarted
    epochs: int = 0
    best: float | None = None
    result: TrialFinished | None = None


@dataclass
class Seen:
    """The journal so far.

    Attributes:
        experiment: how it began, or was resumed the last time.
        began: when it began at first.
        plan: what was planned, and with what.
        dataset: the data.
        importance: what the results depended on.
        evaluated: the final model's score.
        meta_model: what a meta-training has left.
        registered: the final model's version.
        winner: the trial that won; empty while none has.
        trials: by name, in the order they began.
        ended: how often a trial has ended.
        best: best value of the metric over all trials.
        duplicates: strategies that were not trained again.
        exploits: how often a trial has copied another.
        last_time: of the newest record.
    """

    experiment: ExperimentStarted | None = None
    began: float = 0.0
    plan: PlanMade | None = None
    dataset: DatasetReady | None = None
    importance: ImportanceEstimated | None = None
    evaluated: Evaluated | None = None
    meta_model: MetaModelMade | None = None
    registered: ModelRegistered | None = None
    winner: str = ""
    trials: dict[str, TrialSeen] = field(default_factory=dict)
    ended: int = 0
    best: float | None = None
    duplicates: int = 0
    exploits: int = 0
    last_time: float = 0.0

    def require_experiment(self) -> ExperimentStarted:
        """How the experiment began.

        Raises:
            ArtifactError: the journal has not begun with `ExperimentStarted`.
        """
        if self.experiment is None:
            raise ArtifactError("the journal must begin with ExperimentStarted, but does not; it is not graft's")
        return self.experiment

    @property
    def metric(self) -> MetricSpec | None:
        """What trials are compared by; None if the job does not say."""
        job = self.experiment.job if self.experiment else {}
        try:
            return metric_named(str(part(job, "search").get("metric")), str(part(job, "task").get("kind", "")))
        except KeyError:
            return None

    def reported(self, event: TrialReported) -> None:
        """Take an epoch of a trial into account."""
        trial, metric = self.trials[event.trial], self.metric
        trial.epochs = max(trial.epochs, event.epoch)
        if metric is None:
            return
        value = {metric_name(name): value for name, value in event.metrics.items()}.get(f"val/{metric.name}")
        if value is not None and metric.is_better(value, trial.best):
            trial.best = value
        if value is not None and metric.is_better(value, self.best):
            self.best = value

    def ranked(self) -> list[TrialSeen]:
        """All trials, best first; those without a score last, in the order they began."""
        metric = self.metric
        if metric is None:
            return list(self.trials.values())
        return sorted(self.trials.values(), key=lambda one: metric.best_first(one.best, one.started.trial))

    def cost(self, seconds: float) -> float | None:
        """What a trial of so many seconds costs; None if the job gives no price, or its share is not known."""
        if self.experiment is None or self.plan is None:
            return None
        price = part(part(self.experiment.job, "resources"), "price")
        an_hour = self.plan.cpus * price.get("cpu_hour", 0.0) + self.plan.gpus * price.get("gpu_hour", 0.0)
        return an_hour * seconds / 3600 if an_hour else None


def metric_name(name: str) -> str:
    """The name under which a trial's metric is shown: ``accuracy`` is ``val/accuracy``; names with a section stay.

    Counters of the cache go to MLflow's page of system metrics: they are not what trials are compared by.
    """
    if name.startswith(_CACHE):
        return f"system/cache_{name.removeprefix(_CACHE)}"
    return name if "/" in name or name in _BARE else f"val/{name}"


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A mapping within a mapping; empty where there is none."""
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
