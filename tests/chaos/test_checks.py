"""A guarantee that was not kept is found, whichever it is."""

from dataclasses import replace

import pytest

from graft.chaos.checks import Facts, problems
from graft.chaos.fault import Broken
from graft.journal import events

COUNTS = {
    "records": 40,
    "torn": 0,
    "trials": 2,
    "runs_expected": 3,
    "runs_in_mlflow": 3,
    "metrics_expected": 50,
    "metrics_in_mlflow": 50,
    "lost": 0,
    "doubled": 0,
}
FACTS = Facts(
    status="completed",
    trials={"t01": "completed", "t02": "stopped"},
    epochs={"t01": ((0, 1), (0, 2)), "t02": ((0, 1),)},
    winner={"lr": 0.1},
    validation=0.75,
    test=0.7,
    retrained=0,
    counts=COUNTS,
)


def counted(**changes: int) -> Facts:
    return replace(FACTS, counts={**COUNTS, **changes})


def test_a_run_is_as_good_as_itself():
    assert problems(FACTS, FACTS) == []
    assert problems(counted(records=52, metrics_expected=60, metrics_in_mlflow=60), FACTS) == [], (
        "a resumed run has more records, and more samples of the machine"
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (counted(lost=1), "1 are lost in MLflow"),
        (counted(doubled=2), "2 are doubled in MLflow"),
        (counted(lost=None), "None are lost in MLflow"),
        (counted(torn=1), "1 records of the journal are damaged"),
        (counted(metrics_in_mlflow=49), "MLflow has 49 metrics of 50"),
        (counted(runs_in_mlflow=4), "MLflow has 4 runs of 3"),
        (counted(trials=3), "the journal has 3 trials, and the result 2"),
        (replace(FACTS, status="interrupted"), "the experiment is interrupted"),
        (replace(FACTS, retrained=1), "1 finished trials were trained again"),
        (replace(FACTS, trials={**FACTS.trials, "t02": "running"}), "t02 never ended"),
        (replace(FACTS, epochs={**FACTS.epochs, "t02": ((0, 1), (0, 1))}), "t02 has reported epoch 1 twice"),
    ],
)
def test_what_holds_under_every_fault(found, told):
    assert told in problems(found, None)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (replace(FACTS, winner={"lr": 0.2}), "another winner: another strategy"),
        (replace(FACTS, validation=0.76), "another winner: the same strategy, validation 0.76"),
        (replace(FACTS, test=0.6), "test 0.600000, without the fault"),
        (replace(FACTS, trials={"t01": "completed"}, epochs={}), "0 epochs were reported"),
        (replace(FACTS, trials={"t01": "completed", "t02": "failed"}), "1 completed, 1 failed, but without the fault"),
        (counted(runs_expected=4, runs_in_mlflow=4), "MLflow should have 4 runs"),
    ],
)
def test_what_holds_against_the_undisturbed_run(found, told):
    assert any(told in problem for problem in problems(found, FACTS))


def test_an_epoch_after_an_exploit_is_another_one(tmp_path):
    result = tmp_path / "result.json"
    result.write_text('{"status": "completed", "winner": {}, "validation": 0.5, "test": 0.4, "retrained": 0}')
    journal = [
        events.TrialStarted("t01", {}, "a"),
        events.TrialReported("t01", 1, {}, 0.1),
        events.TrialReported("t01", 2, {}, 0.1),
        events.TrialExploited("t01", 1, {}, "b", "t02", 0, 1, {}),
        events.TrialReported("t01", 2, {}, 0.1),
        events.TrialFinished("t01", events.TrialStatus.COMPLETED),
    ]
    facts = Facts.of(result, journal, {**COUNTS, "trials": 1})
    assert facts.epochs == {"t01": ((0, 1), (0, 2), (1, 2))}
    assert facts.reports == 3
    assert problems(facts, None) == []


def meta_search(*more: events.Event) -> Facts:
    journal = [
        events.TrialStarted("t00", {"lr": 0.1}, "one"),
        events.TrialReported("t00", 1, {"val/accuracy": 0.6}, 1.0),
        events.TrialReported("t00", 2, {"val/accuracy": 0.8}, 1.0),
        events.TrialFinished("t00", events.TrialStatus.COMPLETED, "", 2),
        *more,
        events.WinnerChosen("t00", "it is the best"),
        events.Evaluated({"2w1s": 0.7}, {}),
        events.ExperimentFinished(events.ExperimentStatus.COMPLETED, 9.0),
    ]
    return Facts.of_meta_search(journal, COUNTS)


def test_a_meta_search_is_read_from_its_journal() -> None:
    found = meta_search()
    assert (found.status, found.winner, found.validation, found.test) == ("completed", {"lr": 0.1}, 0.8, 0.7)
    assert (found.trials, found.epochs) == ({"t00": "completed"}, {"t00": ((0, 1), (0, 2))})
    assert found.retrained == 0
    assert meta_search(events.TrialReported("t00", 3, {"val/accuracy": 0.1}, 1.0)).retrained == 1
    with pytest.raises(Broken, match="the meta-search has no winner that was evaluated"):
        Facts.of_meta_search([events.TrialStarted("t00", {}, "one")], COUNTS)
