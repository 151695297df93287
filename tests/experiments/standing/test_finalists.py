"""Finalists are the best by the validation samples; the winner is the best of them by folds, unless that is chance."""

from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.standing.choice import choose
from graft.experiments.standing.finalists import finalists_of, seconds_of
from graft.experiments.standing.leaderboard import leaderboard
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.spec.components.head import RidgeHead
from graft.spec.metrics import MetricSpec
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.strategy import Strategy

FOLDS = EvaluationSpec(folds=5, repeats=2, top=2)
STRATEGIES = {"solved": Strategy(head=RidgeHead(), freeze=1.0), "trained": Strategy()}


def add(progress: Progress, name: str, kind: str, score: float | None, **how: Any) -> None:
    status, is_first = how.get("status", TrialStatus.COMPLETED), how.get("is_first", False)
    raw = STRATEGIES[kind].model_dump(mode="json")
    progress.apply(events.TrialStarted(name, raw, name, runs_to_end=is_first, time=1.0))
    if score is not None:
        progress.apply(events.TrialReported(name, 1, {"val/accuracy": score}, how.get("seconds", 1.0), time=2.0))
    progress.apply(events.TrialFinished(name, status, time=3.0))


def estimated(progress: Progress, name: str, mean: float, half: float = 0.02) -> None:
    metrics = {"accuracy": mean, "accuracy_low": mean - half, "accuracy_high": mean + half, "loss": 1.0}
    progress.apply(events.TrialEstimated(name, metrics, 5.0, time=4.0))


@pytest.fixture
def progress() -> Progress:
    made = Progress(MetricSpec("accuracy", "max", is_share=True), 1)
    for number in range(8):
        add(made, f"t1{number}", "solved", 0.60 + number / 100)
    for number in range(4):
        add(made, f"t2{number}", "trained", 0.65 + number / 100)
    add(made, "t30", "trained", 0.64, status=TrialStatus.STOPPED)
    add(made, "t31", "trained", None, status=TrialStatus.FAILED)
    return made


def test_the_best_of_both_kinds_the_winner_so_far_first(progress: Progress) -> None:
    found = [one.trial for one in finalists_of(progress, FOLDS)]
    assert found == ["t23", "t22", "t17", "t16", "t15", "t14", "t13", "t12"]


def test_heads_alone_where_no_training_is_asked_for(progress: Progress) -> None:
    none = EvaluationSpec(folds=5, top=0)
    assert [one.trial for one in finalists_of(progress, none)] == ["t17", "t16", "t15", "t14", "t13", "t12"]


@pytest.mark.parametrize("spec", [EvaluationSpec(), EvaluationSpec(folds=5)])
def test_there_are_none_where_folds_are_of_all_or_of_nobody(progress: Progress, spec: EvaluationSpec) -> None:
    assert finalists_of(progress, spec) == []


def test_without_a_score_there_are_none() -> None:
    progress = Progress(MetricSpec("accuracy", "max"), 1)
    assert finalists_of(progress, FOLDS) == []
    add(progress, "t01", "trained", None, status=TrialStatus.FAILED)
    assert finalists_of(progress, FOLDS) == []


def test_the_best_by_folds_wins(progress: Progress) -> None:
    estimated(progress, "t23", 0.60)
    estimated(progress, "t22", 0.66)
    found = choose(progress)
    assert found.trial.trial == "t22"
    assert found.reason == (
        "accuracy 0.660 over folds, of 2 finalists; t23, the best of the validation samples, has 0.600"
    )
    assert choose(progress, by_estimates=False).trial.trial == "t23"


def test_heads_that_are_estimated_do_not_take_the_place_of_a_training_that_is_not(progress: Progress) -> None:
    """With `top: 0` the best head is chosen by folds, but it must beat a training on the same samples as before."""
    estimated(progress, "t17", 0.9)
    assert choose(progress).trial.trial == "t23"


@pytest.mark.parametrize(("drawn", "winner"), [(0.665, "t40"), (0.69, "t41")])
def test_what_was_drawn_must_be_better_by_a_standard_error(drawn: float, winner: str) -> None:
    progress = Progress(MetricSpec("accuracy", "max", is_share=True), 1)
    add(progress, "t40", "trained", 0.6, is_first=True)
    add(progress, "t41", "trained", 0.9)
    estimated(progress, "t40", 0.66)
    estimated(progress, "t41", drawn)
    found = choose(progress)
    assert found.trial.trial == winner
    assert ("within one standard error of 0.010" in found.reason) == (winner == "t40")


def test_estimates_without_numbers_decide_nothing(progress: Progress) -> None:
    for name in ("t23", "t22"):
        estimated(progress, name, float("nan"))
    assert choose(progress).trial.trial == "t23"


def test_the_leaderboard_has_them(progress: Progress) -> None:
    estimated(progress, "t22", 0.66)
    rows = {row["trial"]: row["estimate"] for row in leaderboard(progress)}
    assert rows["t22"] == pytest.approx((0.66, 0.64, 0.68))
    assert rows["t23"] is None


def test_what_folds_take_follows_from_what_the_trial_took(progress: Progress) -> None:
    add(progress, "t50", "trained", 0.7, seconds=2.0)
    counts = {"train": 80, "validation": 20, "test": 50}
    # Ten models, each trained on 80 of 100 rows: for one epoch.
    assert seconds_of(progress.trials["t50"], FOLDS, counts) == pytest.approx(2.0 * 10)
    assert seconds_of(progress.trials["t50"], EvaluationSpec(), counts) == 0
