from pathlib import Path

import pytest

from graft.experiments.progress import Progress
from graft.experiments.standing import best_so_far as module
from graft.experiments.standing.best_so_far import NAMED, best_so_far, recommended_trials, way_of
from graft.journal import events
from graft.spec.tasks.lookup import metric_named

ACCURACY = metric_named("accuracy")


def started(trial: str, time: float, **rest: object) -> events.TrialStarted:
    return events.TrialStarted(trial, {"lr": 0.1}, f"label of {trial}", time=time, **rest)  # type: ignore[arg-type]


def reported(trial: str, epoch: int, value: float, time: float) -> events.TrialReported:
    return events.TrialReported(trial, epoch, {"val/accuracy": value}, 1.0, time=time)


STORY = [
    events.ExperimentStarted("x", "k", {}, time=100.0),
    started("t01", 103.0, runs_to_end=True),
    started("t02", 103.0, recommended="like task pets"),
    started("t03", 104.0),
    reported("t02", 1, 0.5, 105.0),
    reported("t01", 1, 0.4, 106.0),
    reported("t01", 2, 0.6, 107.5),
    reported("t03", 1, 0.6, 108.0),
]


def test_each_better_model_is_told_with_the_seconds_until_then() -> None:
    assert best_so_far(STORY, ACCURACY) == [(5.0, 0.5), (7.5, 0.6)]


def test_a_break_is_nobodys_time() -> None:
    again = [events.ExperimentStarted("x", "k", {}, time=1000.0), reported("t03", 2, 0.7, 1002.0)]
    assert best_so_far([*STORY, *again], ACCURACY)[-1] == (10.0, 0.7)


def test_less_of_a_loss_is_better_and_no_report_is_no_model() -> None:
    losses = [reported("t01", 1, 0.5, 105.0), reported("t01", 2, 0.4, 106.0), reported("t01", 3, 0.45, 107.0)]
    told = [
        events.TrialReported(one.trial, one.epoch, {"val/loss": one.metrics["val/accuracy"]}, 1.0, time=one.time)
        for one in losses
    ]
    assert [value for _, value in best_so_far([*STORY[:2], *told], metric_named("loss"))] == [0.5, 0.4]
    assert best_so_far(STORY[:4], ACCURACY) == []


def test_trials_that_were_tried_for_a_reason_are_told() -> None:
    progress = Progress(ACCURACY, 3)
    for event in STORY:
        progress.apply(event)
    assert recommended_trials(progress) == [
        {"trial": "t01", "strategy": "label of t01", "reason": NAMED, "validation": 0.6},
        {"trial": "t02", "strategy": "label of t02", "reason": "like task pets", "validation": 0.5},
    ]


@pytest.mark.parametrize(
    ("events_so_far", "first", "curve"), [(STORY, 5.0, [[5.0, 0.5], [7.5, 0.6]]), (STORY[:4], None, [])]
)
def test_the_result_has_the_keys_that_scripts_rely_on(
    monkeypatch: pytest.MonkeyPatch, events_so_far: list[events.Event], first: float | None, curve: list[list[float]]
) -> None:
    monkeypatch.setattr(module, "read", lambda file: enumerate(events_so_far))
    progress = Progress(ACCURACY, 3)
    for event in events_so_far:
        progress.apply(event)
    told = way_of(Path("journal"), progress)
    assert (told["first_model_s"], told["curve"]) == (first, curve)
    assert [one["trial"] for one in told["recommended"]] == ["t01", "t02"]
    assert set(told) == {"first_model_s", "curve", "recommended"}
