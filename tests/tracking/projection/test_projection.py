import math
from dataclasses import replace

import pytest

from graft.core.errors import ArtifactError
from graft.journal.events import (
    DatasetReady,
    EnsembleChosen,
    Evaluated,
    Event,
    ExperimentFinished,
    ExperimentStarted,
    ExperimentStatus,
    ImportanceEstimated,
    PhaseFinished,
    PlanMade,
    StageFailed,
    StageFinished,
    StageStarted,
    SystemSampled,
    TrialFinished,
    TrialNoted,
    TrialReported,
    TrialStarted,
    TrialStatus,
    WinnerChosen,
)
from graft.tracking.comparison_view import unpack
from graft.tracking.projection.experiment_run import evaluated
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    CloseRun,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    SetTags,
    ShowViews,
    UploadFiles,
    UploadJson,
    UploadTable,
    UploadText,
)
from graft.tracking.projection.projection import Projection
from graft.tracking.projection.state import Seen, metric_name
from graft.tracking.projection.trial_runs import status_text

SEARCHED = ExperimentStarted(
    "digits-1",
    "key",
    {
        "name": "digits",
        "search": {"metric": "accuracy"},
        "strategy": {"lr": {"uniform": [0, 1]}, "freeze": 0.5},
        "resources": {"price": {"cpu_hour": 3.6, "gpu_hour": 36.0}},
    },
    time=1.0,
)
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
    assert ends == {"t00": "FINISHED", "t01": "FINISHED", "t02": "FAILED", "t03": "KILLED", EXPERIMENT_RUN: "FINISHED"}
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
    tags, points = tags_of(operations, EXPERIMENT_RUN), points_of(operations, EXPERIMENT_RUN)
    assert tags["graft.winner"] == "t00"
    assert tags_of(operations, "t00")["graft.winner"] == "true"
    assert tags["graft.duplicates"] == "1"
    assert tags["graft.status"] == "complete"
    assert tags["graft.stage.fit"] == "skipped: its output is there"
    assert tags["graft.model_uri"] == "models:/digits/1"
    assert points["final/test_accuracy", 0] == 0.97
    assert points["final/test_accuracy_low", 0] == 0.95
    assert points["final/val_accuracy", 0] == 0.92
    assert tags["graft.stage.ingest"] == "finished in 2.5 s"


def test_params_and_data_set_of_a_trial(operations: list[Operation]) -> None:
    params = next(found.params for found in operations if isinstance(found, LogParams) and found.run == "t01")
    assert params["penalty"] == "l2_sp"
    assert params["seed"] == "1"
    assert [found.run for found in operations if isinstance(found, LogDataset)] == [
        EXPERIMENT_RUN,
        "t00",
        "t01",
        "t02",
        "t03",
    ]


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
    assert CloseRun(EXPERIMENT_RUN, "KILLED", 10.0) in operations
    assert tags_of(operations, EXPERIMENT_RUN)["graft.status"] == "interrupted"


def test_a_driver_that_vanished_leaves_no_run_running() -> None:
    projection = Projection()
    projection.operations(STARTED)
    for trial in ("t00", "t01"):
        projection.operations(TrialStarted(trial, {}, "x", time=2.0))
    projection.operations(TrialFinished("t00", TrialStatus.COMPLETED, time=3.0))
    ends = [found for found in projection.abandoned() if isinstance(found, CloseRun)]
    assert ends == [CloseRun("t01", "KILLED", 3.0), CloseRun(EXPERIMENT_RUN, "KILLED", 3.0)]


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
    assert operations == [SetTags(EXPERIMENT_RUN, {"graft.stage.ingest": "failed: no images"})]


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


def told(*events: Event) -> tuple[Projection, list[Operation]]:
    projection = Projection()
    return projection, [operation for event in (SEARCHED, *events) for operation in projection.operations(event)]


def a_trial(name: str, accuracy: float, lr: float, status: TrialStatus = TrialStatus.COMPLETED) -> list[Event]:
    return [
        TrialStarted(name, {"lr": lr, "freeze": 0.5}, f"lr={lr}", time=2.0),
        TrialReported(name, 1, {"val/accuracy": accuracy}, 1.0, time=3.0),
        TrialFinished(name, status, "why", 1, {"val/accuracy": accuracy}, 100.0, rung=1, time=4.0),
    ]


def test_the_best_so_far_by_finished_trials() -> None:
    _, operations = told(*a_trial("t01", 0.5, 0.1), *a_trial("t02", 0.4, 0.2), *a_trial("t03", 0.7, 0.3))
    points = points_of(operations, EXPERIMENT_RUN)
    assert [points["best/val_accuracy", ended] for ended in (1, 2, 3)] == [0.5, 0.5, 0.7]


@pytest.mark.parametrize(
    ("task", "metric", "best"),
    [
        ({}, "accuracy", 0.7),  # of older graft
        ({"task": {"kind": "auto"}}, "accuracy", 0.7),  # of older graft, and gone on with
        ({"task": {"kind": "classification"}}, "accuracy", 0.7),
        ({"task": {"kind": "regression"}}, "mae", 0.4),
    ],
)
def test_the_best_so_far_is_the_best_by_the_metric_of_the_task(
    task: dict[str, object], metric: str, best: float
) -> None:
    projection = Projection()
    started = replace(SEARCHED, job={**SEARCHED.job, **task, "search": {"metric": metric}})
    trials = [
        event if not isinstance(event, TrialReported) else replace(event, metrics={f"val/{metric}": value})
        for name, value in (("t01", 0.5), ("t02", 0.4), ("t03", 0.7))
        for event in a_trial(name, value, 0.1)
    ]
    operations = [operation for event in (started, *trials) for operation in projection.operations(event)]
    assert points_of(operations, EXPERIMENT_RUN)[f"best/val_{metric}", 3] == best


def test_the_leaderboard_is_a_table_best_first_with_losers_and_crashes() -> None:
    failed = [TrialStarted("t03", {"freeze": 1.0}, "x"), TrialFinished("t03", TrialStatus.FAILED, "no memory")]
    _, operations = told(
        *a_trial("t01", 0.5, 0.1), *a_trial("t02", 0.7, 0.2, TrialStatus.STOPPED), *failed, WinnerChosen("t02", "best")
    )
    (table,) = [found for found in operations if isinstance(found, UploadTable)]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [row["trial"] for row in rows] == ["t02", "t01", "t03"]
    assert (rows[0]["val_accuracy"], rows[0]["status"], rows[0]["family"]) == (
        0.7,
        "stopped at rung 1",
        "partly frozen",
    )
    assert (rows[2]["val_accuracy"], rows[2]["status"], rows[2]["reason"]) == (None, "failed", "no memory")


def test_seconds_cost_what_the_job_says() -> None:
    _, operations = told(PlanMade({}, "1 node", cpus=2.0, gpus=0.5), *a_trial("t01", 0.5, 0.1),
                         ExperimentFinished(ExperimentStatus.COMPLETED, 200.0, time=9.0))  # fmt: skip
    # 100 s of two CPUs at 3.6 and half a GPU at 36 an hour
    assert points_of(operations, "t01")["final/cost", 0] == pytest.approx(0.2 + 0.5)
    assert points_of(operations, EXPERIMENT_RUN)["final/search_cost", 0] == pytest.approx(0.7)


def test_without_a_price_or_a_share_there_is_no_cost() -> None:
    _, operations = told(*a_trial("t01", 0.5, 0.1))
    assert ("final/cost", 0) not in points_of(operations, "t01")


def test_a_crashed_trial_leaves_its_traceback_and_its_reason() -> None:
    _, operations = told(
        TrialStarted("t01", {}, "x"), TrialFinished("t01", TrialStatus.FAILED, "KeyError: 'a'", log="Traceback …")
    )
    assert UploadText("t01", "traceback.txt", "Traceback …") in operations
    assert tags_of(operations, "t01")["graft.reason"] == "KeyError: 'a'"


def test_what_the_winner_got_wrong_is_with_the_winner_too() -> None:
    _, operations = told(*a_trial("t01", 0.5, 0.1), WinnerChosen("t01", "best"), Evaluated({"accuracy": 0.9}))
    runs = [
        found.run for found in operations if isinstance(found, UploadFiles) and "confusion_matrix.png" in found.names
    ]
    assert runs == [EXPERIMENT_RUN, "t01"]


def test_the_views_are_written_when_the_search_begins_and_when_it_is_over() -> None:
    trials = [*a_trial("t01", 0.5, 0.1), *a_trial("t02", 0.7, 0.2)]
    projection, before = told(*trials)
    first, *_ = [found for found in before if isinstance(found, ShowViews)]
    after = projection.operations(ExperimentFinished(ExperimentStatus.COMPLETED, 9.0, time=9.0))
    (last,) = [found for found in after if isinstance(found, ShowViews)]
    assert set(first.tags) == set(last.tags)
    (trials_view,) = [unpack(value) for name, value in last.tags.items() if "trials" in name]
    assert "params.`lr`" in trials_view["selectedColumns"]
    assert "params.`freeze`" not in trials_view["selectedColumns"], "it is the same for all"
    projection, _ = told(*trials)
    assert any(isinstance(found, ShowViews) for found in projection.abandoned())


def test_fields_that_mattered_come_first() -> None:
    shares = ImportanceEstimated({"freeze": 0.8, "lr": 0.2}, 0.6, 9, 1, "freeze 80 %")
    other = [TrialStarted("t02", {"lr": 0.2, "freeze": 1.0}, "x")]
    projection, operations = told(*a_trial("t01", 0.5, 0.1), *other, shares)
    assert tags_of(operations, EXPERIMENT_RUN)["graft.importance"] == "freeze 80 %"
    (views,) = [found for found in projection.abandoned() if isinstance(found, ShowViews)]
    (view,) = [unpack(value) for name, value in views.tags.items() if "trials" in name]
    (parallel,) = [chart for chart in view["compareRunCharts"] if chart["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["freeze", "lr"]


def test_the_data_set_is_summed_up(operations: list[Operation]) -> None:
    (about,) = [found.value for found in operations if isinstance(found, UploadJson) and found.name == "data.json"]
    assert about["samples"] == {"train": 9, "validation": 3}
    assert (about["unreadable"], about["cross_split_duplicates"]) == (1, 0)
    assert tags_of(operations, EXPERIMENT_RUN)["graft.samples"] == "9 train, 3 validation"


def test_what_was_left_out_is_in_the_summary_of_the_data() -> None:
    ignored = (
        {"reason": "suffix .txt", "count": 3, "examples": ["a.txt"]},
        {"reason": "hidden", "count": 1, "examples": []},
    )
    _, operations = told(DatasetReady("ab" * 32, "x", {"train": 9}, ignored=ignored))
    (about,) = [found.value for found in operations if isinstance(found, UploadJson) and found.name == "data.json"]
    assert about["ignored"] == list(ignored)
    assert tags_of(operations, EXPERIMENT_RUN)["graft.ignored"] == "suffix .txt: 3; hidden: 1"


def test_what_was_found_in_the_data_is_told_and_kept() -> None:
    found = {"kind": "duplicate", "severity": "warning", "count": 3, "examples": ["a.png"], "action": "drop"}
    dropped = ({"path": "b.png", "kind": "duplicate", "reason": "is a copy of a.png"},)
    _, operations = told(DatasetReady("ab" * 32, "x", {"train": 9}, findings=(found,), dropped=dropped))
    tags = tags_of(operations, EXPERIMENT_RUN)
    assert (tags["graft.findings"], tags["graft.dropped"]) == ("duplicate 3 (drop)", "1")
    json_files = {one.name: one.value for one in operations if isinstance(one, UploadJson)}
    assert json_files["data.json"]["findings"] == [found]
    assert json_files["quarantine.json"] == [dict(dropped[0])]
    (files,) = [one.names for one in operations if isinstance(one, UploadFiles) and "doctor.html" in one.names]
    assert {"doctor.json", "quarantine.csv", "quarantine.parquet"} <= {*files}


def test_the_plan_and_the_machine_s_samples_are_in_the_parent() -> None:
    _, operations = told(PlanMade({"trials": 4}, "1 node, 2 CPU"), SystemSampled({"cpu_x": 5.0}, time=31.0))
    assert UploadJson(EXPERIMENT_RUN, "plan.json", {"trials": 4}) in operations
    assert tags_of(operations, EXPERIMENT_RUN)["graft.resources"] == "1 node, 2 CPU"
    assert points_of(operations, EXPERIMENT_RUN) == {("system/cpu_x", 30): 5.0}
    _, resumed = told(replace(SEARCHED, time=100.0), SystemSampled({"cpu_x": 5.0}, time=111.0))
    assert points_of(resumed, EXPERIMENT_RUN) == {("system/cpu_x", 110): 5.0}, "seconds since it began at first"


def test_a_note_on_a_trial_is_a_tag() -> None:
    _, operations = told(TrialStarted("t01", {}, "x"), TrialNoted("t01", "a damaged checkpoint"))
    assert tags_of(operations, "t01")["graft.note"] == "a damaged checkpoint"


def test_the_parent_says_first_who_won(operations: list[Operation]) -> None:
    projection, _ = told(*a_trial("t01", 0.5, 0.1), WinnerChosen("t01", "best"),
                         Evaluated({"accuracy": 0.9}, {"accuracy": (0.85, 0.95)}))  # fmt: skip
    note = tags_of(projection.abandoned(), EXPERIMENT_RUN)["mlflow.note.content"]
    assert note.startswith("**t01** wins: lr=0.1 (partly frozen), validation accuracy 0.500, of 1 trial.")
    assert "Test accuracy 0.900, 95 % interval 0.850 to 0.950." in note


def test_bounds_of_the_judged_metric_alone_are_metrics_of_a_run() -> None:
    """The report has all of them; here twenty would push what runs are compared by off MLflow's page."""
    seen = Seen()
    job = {"search": {"metric": "accuracy"}, "task": {"kind": "classification"}}
    seen.experiment = ExperimentStarted(name="a", key="a", job=job)
    told = Evaluated({"accuracy": 0.97, "loss": 0.1}, {"accuracy": (0.95, 0.98), "loss": (0.05, 0.2)})
    points = points_of(list(evaluated(seen, told)), EXPERIMENT_RUN)
    assert {name for name, _ in points} == {
        "final/test_accuracy",
        "final/test_accuracy_low",
        "final/test_accuracy_high",
        "final/test_loss",
    }


def test_an_ensemble_is_told_with_its_members_and_its_cost() -> None:
    chosen = EnsembleChosen({"t02": 0.7, "t01": 0.3}, True, 0.72, 0.7, "ensemble of t02 0.70, t01 0.30")
    scored = Evaluated({"accuracy": 0.9}, alone={"accuracy": 0.88}, ms={"all": 9.0, "alone": 3.0})
    _, operations = told(
        *a_trial("t01", 0.5, 0.1), *a_trial("t02", 0.7, 0.2), WinnerChosen("t02", "best"), chosen, scored
    )
    assert tags_of(operations, EXPERIMENT_RUN)["graft.ensemble"] == chosen.reason
    assert [tags_of(operations, name)["graft.ensemble.share"] for name in ("t01", "t02")] == ["0.300", "0.700"]
    shown = {name: value for (name, _), value in points_of(operations, EXPERIMENT_RUN).items()}
    assert [shown[f"final/{name}"] for name in ("test_alone_accuracy", "ms_all", "ms_alone")] == [0.88, 9.0, 3.0]
    _, operations = told(*a_trial("t01", 0.5, 0.1), EnsembleChosen({"t01": 1.0}, False, None, None, "no ensemble"))
    assert "graft.ensemble.share" not in tags_of(operations, "t01")


def test_a_trial_says_first_what_was_tried_and_what_came_of_it() -> None:
    _, operations = told(*a_trial("t01", 0.51239, 0.1, TrialStatus.STOPPED), *a_trial("t02", 0.7, 0.2))
    assert tags_of(operations, "t01")["mlflow.note.content"].split("\n\n") == [
        "**t01**: lr=0.1 (partly frozen).", "Validation accuracy 0.512 in 1 epochs.", "Stopped at rung 1: why.",
    ]  # fmt: skip
    assert tags_of(operations, "t02")["mlflow.note.content"].endswith("Complete: why.")


def test_counters_of_the_cache_are_no_metrics_of_a_model() -> None:
    _, operations = told(
        TrialStarted("t01", {}, "x"), TrialReported("t01", 1, {"val/accuracy": 0.5, "cache/hits": 2.0}, 1.0, time=3.0)
    )
    assert {name for name, _ in points_of(operations, "t01")} == {
        "val/accuracy", "system/cache_hits", "epoch_seconds",
    }  # fmt: skip


def test_the_experiment_has_no_metric_of_one_bar_per_stage_phase_or_field() -> None:
    _, operations = told(
        StageFinished("fit", 3.25),
        PhaseFinished(0, 4, 0.91234, "t02", 8.0),
        ImportanceEstimated({"freeze": 0.8}, 0.6, 9, 1, "freeze 80 %"),
    )
    assert points_of(operations, EXPERIMENT_RUN) == {}
    tags = tags_of(operations, EXPERIMENT_RUN)
    assert tags["graft.stage.fit"] == "finished in 3.2 s"
    assert tags["graft.phase.1.result"] == "4 trials in 8.0 s, best 0.912 of t02"
    assert tags["graft.importance"] == "freeze 80 %"


END = ExperimentFinished(ExperimentStatus.COMPLETED, 9.0, time=9.0)


def test_at_the_end_every_trial_has_its_rank_and_ties_keep_the_order_they_began_in() -> None:
    scores = {"t10": 0.9, "t02": 0.7, "t03": 0.9, "t100": 0.9, "t04": 0.1}
    _, operations = told(*(event for name, score in scores.items() for event in a_trial(name, score, 0.1)), END)
    ranks = {name: points_of(operations, name)["final/rank", 0] for name in scores}
    assert sorted(ranks, key=ranks.__getitem__) == ["t03", "t10", "t100", "t02", "t04"]
    (table,) = [found for found in operations if isinstance(found, UploadTable)]
    assert [row[1] for row in table.rows] == sorted(ranks, key=ranks.__getitem__)


def test_leads_begin_at_the_middle_and_one_bad_trial_flattens_no_bar() -> None:
    scores = {"t01": 0.96, "t02": 0.95, "t03": 0.94, "t04": 0.93, "t05": 0.1}
    _, operations = told(*(event for name, score in scores.items() for event in a_trial(name, score, 0.1)), END)
    leads = [points_of(operations, name)["final/val_accuracy_lead", 0] for name in scores]
    assert leads == pytest.approx([0.02, 0.01, 0.0, -0.01, -0.02])


def test_one_trial_has_nothing_to_lead() -> None:
    _, operations = told(*a_trial("t01", 0.5, 0.1), END)
    points = points_of(operations, "t01")
    assert points["final/rank", 0] == 1.0
    assert ("final/val_accuracy_lead", 0) not in points


def test_the_views_are_written_anew_when_there_is_something_to_compare() -> None:
    projection, operations = told(*a_trial("t01", 0.5, 0.1))
    assert len([found for found in operations if isinstance(found, ShowViews)]) == 2  # it began, it has a score
    second = [one for event in a_trial("t02", 0.6, 0.2) for one in projection.operations(event)]
    third = [one for event in a_trial("t03", 0.6, 0.3) for one in projection.operations(event)]
    assert [sum(isinstance(one, ShowViews) for one in found) for found in (second, third)] == [1, 0]


def test_the_model_and_its_version_say_what_they_are() -> None:
    data = DatasetReady("ab", "x", {}, classes=tuple(f"c{one}" for one in range(12)), task="classification",
                        modality="image")  # fmt: skip
    projection, _ = told(
        data, *a_trial("t01", 0.5, 0.1), WinnerChosen("t01", "best"),
        Evaluated({"accuracy": 0.9}, {"accuracy": (0.85, 0.95)}),
    )  # fmt: skip
    found = projection.describe_model()
    assert found.model.startswith("Classification of images: c0, c1, c2, ")
    assert found.model.endswith("c9 and 2 more. Job digits of graft.")
    assert "Test accuracy 0.900, 95 % interval 0.850 to 0.950." in found.version
    assert "Found by the graft experiment digits-1." in found.version
