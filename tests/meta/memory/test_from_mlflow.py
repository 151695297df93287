import pytest

from graft.meta.memory.from_journal import task_name
from graft.meta.memory.from_mlflow import is_wanted, records_of_runs
from graft.meta.memory.records import TrialState
from graft.spec.strategy import Strategy
from graft.tracking.mlflow.logged import LoggedRun, Point
from graft.tracking.projection.flattening import flatten

STRATEGY = Strategy.model_validate({"penalty": {"kind": "l2_sp", "strength": 0.1}, "freeze": 0.5, "standardise": True})
OURS = {"graft.trial": "t01", "graft.experiment_key": "k"}


def run(**changes):
    usual = {
        "run_id": "r1",
        "experiment": "birds",
        "user": "ada",
        "status": "FINISHED",
        "start": 100.0,
        "params": {"backbone": "mobilenet_v2"},
        "tags": {},
        "parent_tags": {},
        "curves": {"val_accuracy": (Point(1, 0.5, 105.0), Point(2, 0.6, 110.0))},
    }
    return LoggedRun(**{**usual, **changes})


def memory_of(runs, store):
    memory, _ = records_of_runs(runs, store)
    return memory


def test_a_run_of_any_script_is_a_curve_of_a_backbone():
    memory = memory_of([run()], "http://x")
    first, second = memory.records()
    assert (first.epoch, first.value, first.seconds, second.seconds) == (1, 0.5, 5.0, 10.0)
    assert (first.task, first.task_kind, first.modality) == ("mlflow/birds", "classification", "image")
    assert (first.strategy_json, first.trial) == (None, "mlflow/r1")
    assert first.source == "mlflow:http://x#birds by ada"
    assert [one.title for one in memory.tasks()] == ["birds"]


def test_a_run_of_graft_has_task_strategy_and_the_trial_of_its_journal():
    params = {**flatten(STRATEGY.model_dump(mode="json")), "family": "l2_sp", "seed": "0"}
    curves = {"val/accuracy": (Point(1, 0.5, 105.0),), "val/loss": (Point(1, 0.9, 105.0),)}
    parent = {"graft.fingerprint": "f0", "graft.experiment": "birds-1"}
    (one,) = memory_of([run(params=params, tags=OURS, parent_tags=parent, curves=curves)], "x").records()
    assert Strategy.read_stored(one.nested_strategy) == STRATEGY
    assert (one.task, one.trial, one.metric) == (task_name("f0", "classification"), "k/t01", "accuracy")


def test_a_strategy_of_another_graft_stays_on_one_level():
    params = {"backbone": "mobilenet_v2", "penalty": "of_theirs", "penalty.strength": "0.1", "lr": "0.01"}
    (one, _) = memory_of([run(params=params, tags=OURS)], "x").records()
    assert one.strategy == {"backbone": "mobilenet_v2", "penalty": "of_theirs", "penalty.strength": 0.1, "lr": 0.01}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"params": {}}, "no param backbone or model or model_name or architecture"),
        ({"params": {"backbone": "nobody_knows"}}, "a network that is not known here"),
        ({"curves": {}}, "no validation score that a task knows"),
        (
            {"curves": {"val_accuracy": (Point(1, 7.0, 1.0), Point(2, float("nan"), 1.0))}},
            "no value that its metric can have",
        ),
    ],
)
def test_what_is_no_trial_is_passed_over_with_its_reason(changes, reason):
    memory, passed_over = records_of_runs([run(**changes), run(run_id="r2"), run(**{**changes, "run_id": "r3"})], "x")
    assert {one.trial for one in memory.records()} == {"mlflow/r2"}
    assert [str(one) for one in passed_over] == [f"{reason}: 2 (birds/r1, birds/r3)"]


@pytest.mark.parametrize(
    ("status", "state"),
    [("FINISHED", TrialState.FINISHED), ("FAILED", TrialState.FAILED), ("KILLED", TrialState.STOPPED)],
)
def test_how_a_run_ended_is_kept(status, state):
    assert {one.state for one in memory_of([run(status=status)], "x").records()} == {state}


def test_a_single_value_is_of_no_epoch():
    (one,) = memory_of([run(curves={"val_acc": (Point(0, 0.5, 105.0),)})], "x").records()
    assert (one.epoch, one.metric) == (None, "accuracy")


def test_only_validation_scores_are_wanted():
    assert [name for name in ("val/accuracy", "val_acc", "val_likes", "train/loss", "lr") if is_wanted(name)] == [
        "val/accuracy",
        "val_acc",
    ]
