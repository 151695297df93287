import math

import pytest

from graft.core.errors import ArtifactError
from graft.tracking.events import (
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ExperimentStatus,
    StageFailed,
    StageStarted,
    TrialFinished,
    TrialReported,
    TrialStarted,
    TrialStatus,
)
from graft.tracking.operations import (
    PARENT,
    CloseRun,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    SetTags,
    UploadFiles,
)
from graft.tracking.projection import Projection, metric_name, status_text

STARTED = ExperimentStarted("digits-1", "key", {"name": "digits"}, time=1.0)


@pytest.fixture
def operations(story: list[Event]) -> list[Operation]:
    projection = Projection()
    return [operation for event in story for operation in projection.operations(event)]


def tags_of(operations: list[Operation], run: str) -> dict[str, str]:
    return {key: value for found in operations if isinstance(found, SetTags) and found.run == run
            for key, value in found.tags.items()}  # fmt: skip


def points_of(operations: list[Operation], run: str) -> dict[tuple[str, int], float]:
    return {(point.name, point.step): point.value for found in operations if isinstance(found, LogMetrics)
            and found.run == run for point in found.points}  # fmt: skip


def test_one_run_a_trial_under_a_human_name(operations: list[Operation]) -> None:
    names = [found.name for found in operations if isinstance(found, OpenRun)]
    assert names == ["digits-1", *(f"t0{number} efficientnet_lite0 freeze=0.75 l2_sp" for number in range(4))]


def test_how_trials_end(operations: list[Operation]) -> None:
    ends = {found.run: found.status for found in operations if isinstance(found, CloseRun)}
    assert ends == {"t00": "FINISHED", "t01": "KILLED", "t02": "FAILED", "t03": "KILLED", PARENT: "FINISHED"}
    assert [tags_of(operations, f"t0{number}")["graft.status"] for number in range(4)] == [
        "complete", "stopped at rung 1", "failed: non-finite loss at epoch 2", "interrupted",
    ]  # fmt: skip


def test_metrics_by_epoch_and_at_the_end(operations: list[Operation]) -> None:
    points = points_of(operations, "t00")
    assert points["val/accuracy", 2] == pytest.approx(0.92)
    assert points["train/loss", 1] == 1.0
    assert points["lr", 1] == 0.1
    assert points["epoch_seconds", 1] == 1.5
    assert points["final/val_accuracy", 0] == 0.92
    assert points["final/epochs", 0] == 2


def test_the_parent_holds_the_outcome(operations: list[Operation]) -> None:
    tags, points = tags_of(operations, PARENT), points_of(operations, PARENT)
    assert tags["graft.winner"] == "t00"
    assert tags_of(operations, "t00")["graft.winner"] == "true"
    assert tags["graft.duplicates"] == "1"
    assert tags["graft.status"] == "complete"
    assert tags["graft.stage.fit"] == "skipped: its output is there"
    assert tags["graft.model_uri"] == "models:/digits/1"
    assert points["final/test_accuracy", 0] == 0.97
    assert points["final/test_accuracy_low", 0] == 0.95
    assert points["final/val_accuracy", 0] == 0.92
    assert points["stage_seconds/ingest", 0] == 2.5


def test_params_and_data_set_of_a_trial(operations: list[Operation]) -> None:
    params = next(found.params for found in operations if isinstance(found, LogParams) and found.run == "t01")
    assert params["penalty"] == "l2_sp"
    assert params["seed"] == "1"
    assert [found.run for found in operations if isinstance(found, LogDataset)] == [PARENT, "t00", "t01", "t02", "t03"]


def test_files_are_uploaded_at_both_ends(operations: list[Operation]) -> None:
    uploads = [found.names for found in operations if isinstance(found, UploadFiles)]
    assert uploads[0] == ("job.yaml",)
    assert "leaderboard.csv" in uploads[-1]


def test_non_finite_values_are_named_not_logged() -> None:
    projection = Projection()
    projection.operations(STARTED)
    projection.operations(TrialStarted("t00", {}, "x"))
    operations = projection.operations(TrialReported("t00", 2, {"loss": math.inf, "accuracy": 0.1}, 1.0, time=5.0))
    assert LogMetrics("t00", (Point("val/accuracy", 0.1, 5.0, 2), Point("epoch_seconds", 1.0, 5.0, 2))) in operations
    assert tags_of(operations, "t00") == {"graft.nonfinite": "val/loss at epoch 2"}


def test_trials_that_never_ended_are_closed_with_the_experiment() -> None:
    projection = Projection()
    projection.operations(STARTED)
    projection.operations(TrialStarted("t00", {}, "x", time=2.0))
    operations = projection.operations(ExperimentFinished(ExperimentStatus.INTERRUPTED, 9.0, time=10.0))
    assert CloseRun("t00", "KILLED", 10.0) in operations
    assert CloseRun(PARENT, "KILLED", 10.0) in operations
    assert tags_of(operations, PARENT)["graft.status"] == "interrupted"


def test_a_driver_that_vanished_leaves_no_run_running() -> None:
    projection = Projection()
    projection.operations(STARTED)
    for trial in ("t00", "t01"):
        projection.operations(TrialStarted(trial, {}, "x", time=2.0))
    projection.operations(TrialFinished("t00", TrialStatus.COMPLETED, time=3.0))
    ends = [found for found in projection.abandoned() if isinstance(found, CloseRun)]
    assert ends == [CloseRun("t01", "KILLED", 3.0), CloseRun(PARENT, "KILLED", 3.0)]


def test_a_resumed_trial_is_running_again() -> None:
    projection = Projection()
    projection.operations(STARTED)
    projection.operations(TrialStarted("t00", {}, "x"))
    projection.operations(TrialFinished("t00", TrialStatus.INTERRUPTED))
    assert any(isinstance(found, OpenRun) for found in projection.operations(TrialStarted("t00", {}, "x")))
    assert CloseRun("t00", "KILLED", 9.0) in projection.operations(
        ExperimentFinished(ExperimentStatus.FAILED, 1.0, time=9.0)
    )


def test_a_failed_stage_says_why() -> None:
    operations = Projection().operations(StageFailed("ingest", 1.0, "no images"))
    assert operations == [SetTags(PARENT, {"graft.stage.ingest": "failed: no images"})]


def test_what_mlflow_does_not_show_asks_for_nothing() -> None:
    assert Projection().operations(StageStarted("ingest")) == []


def test_results_of_a_trial_that_never_started_are_left_to_the_journal() -> None:
    projection = Projection()
    projection.operations(STARTED)
    assert projection.operations(TrialReported("t09", 1, {"a": 1.0}, 1.0)) == []
    assert projection.operations(TrialFinished("t09", TrialStatus.COMPLETED)) == []


def test_a_journal_without_a_beginning_is_refused() -> None:
    with pytest.raises(ArtifactError, match="must begin with ExperimentStarted"):
        _ = Projection().experiment_key


def test_names() -> None:
    assert metric_name("macro_f1") == "val/macro_f1"
    assert metric_name("train/loss") == "train/loss"
    assert metric_name("lr") == "lr"
    assert status_text(TrialFinished("t00", TrialStatus.STOPPED, "budget")) == "stopped: budget"
