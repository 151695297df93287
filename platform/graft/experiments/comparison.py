"""Experiments side by side: what each found, at what cost, as its journal says; and where MLflow compares them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graft.core.credentials import without_login
from graft.core.errors import TrackingError
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.journal import read
from graft.spec.job import Job
from graft.tracking.environment import settle_environment
from graft.tracking.projection.operations import EXPERIMENT_RUN
from graft.tracking.projection.trial_runs import family
from graft.tracking.server import compare_url, view_url
from graft.tracking.target import target_of


@dataclass(frozen=True)
class Found:
    """What an experiment has found so far.

    Attributes:
        experiment: its name.
        status: how it ended, or ``running or killed``.
        metric: what its trials are compared by.
        best: the best validation value; None if no trial has one.
        trial: whose.
        strategy: that trial's strategy at a glance.
        family: that it belongs to.
        trials: how many began.
        seconds: spent by its runs.
        cost: of its trials; None without `resources.price`.
        test: the final model's value on the test rows.
        test_interval: its 95 % interval.
    """

    experiment: str
    status: str
    metric: str
    best: float | None
    trial: str | None
    strategy: str | None
    family: str | None
    trials: int
    seconds: float
    cost: float | None
    test: float | None
    test_interval: tuple[float, float] | None


@dataclass(frozen=True)
class Pages:
    """Where MLflow shows them.

    Attributes:
        compare: the page that compares their best trials; None if there is only one.
        views: experiment -> name of the view -> its address.
        problem: why there is no page; empty if there is.
    """

    compare: str | None
    views: dict[str, dict[str, str]]
    problem: str = ""


def find_out(experiment: Experiment) -> Found:
    """Read what an experiment has found from its journal.

    Raises:
        ArtifactError: the experiment is damaged.
    """
    job = experiment.job()
    progress, plan, scored = Progress(job.objective, job.epochs), None, None
    for _, event in read(experiment.journal_file):
        progress.apply(event)
        plan = event if isinstance(event, events.PlanMade) else plan
        scored = event if isinstance(event, events.Evaluated) else scored
    best = next((trial for trial in progress.ranked() if trial.best_epoch), None)
    metric = job.objective.name
    return Found(
        experiment=experiment.name,
        status=str(progress.status or "running or killed"),
        metric=metric,
        best=None if best is None else progress.score(best),
        trial=None if best is None else best.trial,
        strategy=None if best is None else best.best_label,
        family=None if best is None else family(best.best_strategy),
        trials=len(progress.trials),
        seconds=round(progress.spent, 2),
        cost=_cost(job, plan, sum(trial.seconds for trial in progress.trials.values())),
        test=scored.metrics.get(metric) if scored else None,
        test_interval=scored.intervals.get(metric) if scored else None,
    )


def pages(home: Home, experiments: Mapping[Experiment, str | None], local: str) -> Pages:
    """Where MLflow shows experiments, and compares them if they are in one store.

    Args:
        home: where the experiments are.
        experiments: at least one; with the trial that stands for it when they are compared, or None.
        local: address of the server that `graft ui` starts on this home's own store.
    """
    settle_environment()
    from graft.tracking.mlflow.registration import find_run  # MLflow takes seconds to import

    targets = {one.name: target_of(home, one.job()) for one in experiments}
    trials = {one.name: trial for one, trial in experiments.items()}
    # A directory that was renamed is found in MLflow by what it was called when it began.
    keys = {one.name: one.key for one in experiments}
    views: dict[str, dict[str, str]] = {}
    runs: dict[str, tuple[str, str]] = {}
    try:
        for name, target in targets.items():
            experiment_id, run_id = find_run(target, keys[name], trials[name] or EXPERIMENT_RUN)
            base = _address(target.uri, home, local)
            views[name] = {kind: view_url(base, experiment_id, keys[name], kind) for kind in ("strategies", "trials")}
            if run_id is not None:
                runs[name] = (experiment_id, run_id)
    except TrackingError as error:
        return Pages(None, views, str(error))
    if len({target.uri for target in targets.values()}) > 1:
        return Pages(None, views, "they are in different tracking stores, which no page can compare")
    if len(runs) < len(targets):
        missing = ", ".join(sorted(set(targets) - set(runs)))
        return Pages(None, views, f"{missing} is not in MLflow yet; `graft track sync` brings it there")
    base = _address(next(iter(targets.values())).uri, home, local)
    return Pages(compare_url(base, [*runs.values()]) if len(runs) > 1 else None, views)


def _address(uri: str, home: Home, local: str) -> str:
    if uri.startswith(("http://", "https://")):
        return without_login(uri)
    if uri == home.tracking_uri:
        return local
    raise TrackingError("the store has no address of its own; start `mlflow server` on it")


def _cost(job: Job, plan: Any, seconds: float) -> float | None:
    if plan is None:
        return None
    price = job.resources.price
    an_hour = plan.cpus * price.cpu_hour + plan.gpus * price.gpu_hour
    return round(an_hour * seconds / 3600, 6) if an_hour else None
