"""One real MLflow store on SQLite for the whole session: creating its tables takes seconds."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from graft.tracking.events import (
    DatasetReady,
    DuplicateSkipped,
    Evaluated,
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ExperimentStatus,
    ImportanceEstimated,
    ModelRegistered,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    ResourcesAwaited,
    SearchEnded,
    StageFinished,
    StageSkipped,
    SystemSampled,
    TrialExploited,
    TrialFinished,
    TrialNoted,
    TrialPlaced,
    TrialReported,
    TrialRetried,
    TrialStarted,
    TrialStatus,
    WinnerChosen,
)
from graft.tracking.journal import Journal, journal_path
from graft.tracking.mlflow_store import MlflowClient
from graft.tracking.target import Target

STRATEGY = {
    "backbone": "efficientnet_lite0",
    "freeze": 0.75,
    "penalty": {"kind": "l2_sp", "strength": 0.01},
    "lr": 1e-3,
}


class StepClock:
    """A clock that moves by one second each time it is looked at."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0

    def now(self) -> float:
        self.time += 1
        return self.time

    def elapsed(self) -> float:
        return self.now()


@pytest.fixture(scope="session")
def store_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def target(store_root: Path, request: pytest.FixtureRequest) -> Target:
    """An MLflow experiment of the test's own, in the shared store."""
    name = request.node.name.replace("[", "-").replace("]", "")
    return Target(f"sqlite:///{store_root / 'mlflow.db'}", name, store_root / "artifacts")


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture
def experiment_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "digits-1"
    directory.mkdir()
    directory.joinpath("job.yaml").write_text("name: digits\n")
    directory.joinpath("leaderboard.csv").write_text("trial,accuracy\nt00,0.97\n")
    return directory


@pytest.fixture
def story(experiment_dir: Path) -> list[Event]:
    """A whole experiment: four trials with the four ends, a duplicate, a winner."""
    job = {"version": 1, "name": "digits", "data": {"kind": "digits", "validation": 0.2}, "tracking": {"uri": None}}
    events: list[Event] = [
        ExperimentStarted(
            name="digits-1", key=str(experiment_dir), job=job, versions={"torch": "2.14"}, device="2 cores"
        ),
        DatasetReady("ab" * 32, "digits", {"train": 9, "validation": 3}, ({"path": "a.png", "reason": "empty"},)),
        StageFinished("ingest", 2.5),
        PhaseStarted(0, "pbt", "random", 2),
    ]
    ends = [
        (TrialStatus.COMPLETED, "", None),
        (TrialStatus.STOPPED, "below the best third", 1),
        (TrialStatus.FAILED, "non-finite loss at epoch 2", None),
        (TrialStatus.INTERRUPTED, "", None),
    ]
    for number, (status, reason, rung) in enumerate(ends):
        trial = f"t{number:02}"
        events.append(TrialStarted(trial, STRATEGY, "efficientnet_lite0 freeze=0.75 l2_sp", seed=number))
        events += [TrialReported(trial, epoch, {"accuracy": 0.9 + epoch / 100, "train/loss": 1 / epoch, "lr": 0.1}, 1.5)
                   for epoch in (1, 2)]  # fmt: skip
        if trial == "t03":
            events.append(TrialPlaced(trial, ("node-1",)))
            changes = {"lr": (1e-3, 2e-3), "penalty": ("l2", "none")}
            events.append(
                TrialExploited(trial, 1, STRATEGY | {"lr": 2e-3}, "label", "t00", 0, 2, changes, "worst of 4")
            )
        events.append(TrialFinished(trial, status, reason, 2, {"accuracy": 0.92}, 3.0, rung))
    return [
        *events,
        DuplicateSkipped(None, "t00", "abc"),
        ResourcesAwaited("2 CPU (1 free) are needed"),
        TrialNoted("t00", "the disk has 4 MB left, so best.safetensors is not kept; free some"),
        TrialRetried("t02"),
        PlanMade({"job": "digits", "trials": 4}, "1 node, 2 CPU", cpus=1.0),
        SystemSampled({"cpu_utilization_percentage": 50.0}),
        PhaseFinished(0, 4, 0.92, "t00", 9.0),
        SearchEnded("trials", "4 trials have ended"),
        ImportanceEstimated({}, None, 4, 2, "4 trials are too few; at least 8 are needed"),
        WinnerChosen("t00", "highest accuracy"),
        StageSkipped("fit", "its output is there"),
        Evaluated({"accuracy": 0.97}, {"accuracy": (0.95, 0.98)}),
        ModelRegistered("models:/digits/1", "1"),
        ExperimentFinished(ExperimentStatus.COMPLETED, 60.0),
    ]


@pytest.fixture
def journal(experiment_dir: Path, clock: StepClock) -> Iterator[Journal]:
    with Journal(journal_path(experiment_dir), clock) as opened:
        yield opened


@pytest.fixture
def told(journal: Journal, story: list[Event]) -> Callable[..., None]:
    """Record the story up to an event, or all of it, and close the journal."""

    def tell(number: int | None = None) -> None:
        for event in story[:number]:
            journal.append(event)
        journal.close()

    return tell


@pytest.fixture
def shown(target: Target) -> Callable[[], dict[str, dict[str, Any]]]:
    """All that MLflow shows of the target's experiment, by run name, without the ids that MLflow draws."""

    def look() -> dict[str, dict[str, Any]]:
        client = MlflowClient(target.uri)
        experiment = client.get_experiment_by_name(target.experiment)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], max_results=1000)
        names = {run.info.run_id: run.info.run_name for run in runs}
        assert len(set(names.values())) == len(runs), f"a run exists twice: {sorted(names.values())}"
        return {run.info.run_name: _show(client, run, names) for run in runs}

    return look


def _show(client: MlflowClient, run: Any, names: Mapping[str, str]) -> dict[str, Any]:
    history = {
        name: [(point.step, point.value, point.timestamp) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return {
        "status": run.info.status,
        "times": (run.info.start_time, run.info.end_time),
        "params": run.data.params,
        "tags": {key: value for key, value in run.data.tags.items() if key != "mlflow.parentRunId"},
        "parent": names.get(run.data.tags.get("mlflow.parentRunId", "")),
        "metrics": history,
        "datasets": [(used.dataset.name, used.dataset.digest) for used in run.inputs.dataset_inputs],
        "files": sorted(file.path for file in client.list_artifacts(run.info.run_id)),
    }
