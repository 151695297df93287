"""Who wins is not who was lucky: a trial is worth its last epochs, and what was drawn must beat what came first."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.standing.choice import choose, standard_error, steady_of
from graft.journal import events
from graft.spec.components.head import RidgeHead
from graft.spec.metrics import MetricSpec
from graft.spec.strategy import Strategy

COUNTS = {"train": 400, "validation": 100, "test": 100}


SOLVED = Strategy(head=RidgeHead(), freeze=1.0)


def progress_of(
    *trials: tuple[str, Sequence[float], bool],
    metric: Any = None,
    samples: Any = COUNTS,
    losses: Mapping[str, float] | None = None,
    solved: Sequence[str] = (),
) -> Progress:
    """Trials by their values of each epoch, and whether they were tried first."""
    progress = Progress(metric or MetricSpec("accuracy", "max", is_share=True), 8)
    progress.samples = samples
    for name, values, is_first in trials:
        strategy = SOLVED if name in solved else Strategy()
        loss = {"val/loss": losses[name]} if losses else {}
        told: list[events.Event] = [
            events.TrialStarted(name, strategy.model_dump(mode="json"), name, runs_to_end=is_first, time=1.0)
        ]
        name_of_metric = f"val/{progress.metric.name}"
        told += [
            events.TrialReported(name, epoch, {name_of_metric: value, **loss}, 1.0, time=2.0)
            for epoch, value in enumerate(values, start=1)
        ]
        for event in told:
            progress.apply(event)
    return progress


def test_without_anything_to_be_tried_first_the_best_epoch_wins() -> None:
    found = choose(progress_of(("t01", [0.5, 0.9, 0.5, 0.5], False), ("t02", [0.6] * 4, False)))
    assert (found.trial.trial, found.reason) == ("t01", "best validation accuracy 0.900 of 2 trials")


@pytest.mark.parametrize("is_first", [False, True])
def test_a_trial_that_is_alone_is_one_trial(is_first: bool) -> None:
    assert choose(progress_of(("t01", [0.5] * 4, is_first))).reason.endswith(" of 1 trial")


def test_a_trial_is_worth_its_last_epochs() -> None:
    found = choose(progress_of(("t01", [0.5, 0.99, 0.5, 0.5], True), ("t02", [0.6] * 4, True)))
    assert found.trial.trial == "t02"
    assert found.reason == "validation accuracy 0.600 over its last epochs, the best of 2 trials"


@pytest.mark.parametrize(("drawn", "winner"), [(0.83, "t01"), (0.88, "t02")], ids=["within", "beyond"])
def test_what_was_drawn_must_be_better_by_a_standard_error(drawn: float, winner: str) -> None:
    # Of 0.83 to 0.88 on 100 samples, the standard error is 0.037 to 0.033.
    found = choose(progress_of(("t01", [0.80], True), ("t02", [drawn], False)))
    assert found.trial.trial == winner
    assert ("within one standard error" in found.reason) == (winner == "t01")


@pytest.mark.parametrize(("head", "winner"), [(0.83, "t01"), (0.88, "t02")], ids=["within", "beyond"])
def test_a_head_that_was_solved_must_be_better_than_a_training_by_a_standard_error(head: float, winner: str) -> None:
    found = choose(progress_of(("t01", [0.80], True), ("t02", [head], True), solved=["t02"]))
    assert found.trial.trial == winner
    assert ("t02, whose head was solved, has 0.830" in found.reason) == (winner == "t01")


def test_heads_alone_are_compared_with_each_other() -> None:
    found = choose(progress_of(("t01", [0.80], True), ("t02", [0.81], True), solved=["t01", "t02"]))
    assert found.trial.trial == "t02"


LOSSES = {"t01": 0.5, "t02": 0.4, "t03": 0.1}


def test_of_scores_within_a_standard_error_the_lowest_loss_wins() -> None:
    trials = (("t01", [0.82], True), ("t02", [0.80], True), ("t03", [0.70], True))
    found = choose(progress_of(*trials, losses=LOSSES))
    assert found.trial.trial == "t02"
    told = "validation accuracy 0.800 over its last epochs of 3 trials"
    assert found.reason == f"{told}; t01 has 0.820, no more than chance, and a higher loss"


def test_a_higher_loss_is_told_of_one_that_has_it() -> None:
    # Of the drawn ones t03 has the lowest loss, and is no better than t01, whose loss is the highest of all.
    trials = (("t01", [0.82], True), ("t02", [0.83], False), ("t03", [0.81], False))
    found = choose(progress_of(*trials, losses={"t01": 0.9, "t02": 0.5, "t03": 0.4}))
    assert found.trial.trial == "t01"
    assert found.reason == (
        "validation accuracy 0.820 over its last epochs of 3 trials; t02 has 0.830, no more than chance"
    )


@pytest.mark.parametrize(
    ("metric", "losses"),
    [(MetricSpec("accuracy", "max", is_share=True), {**LOSSES, "t01": math.nan}), (MetricSpec("map", "max"), LOSSES)],
    ids=["not known", "no share"],
)
def test_where_no_loss_or_no_error_is_known_the_higher_score_wins(metric: MetricSpec, losses: Any) -> None:
    trials = (("t01", [0.82], True), ("t02", [0.80], True), ("t03", [0.70], True))
    assert choose(progress_of(*trials, metric=metric, losses=losses)).trial.trial == "t01"


def test_the_more_samples_the_less_it_takes() -> None:
    trials = (("t01", [0.80], True), ("t02", [0.83], False))
    assert choose(progress_of(*trials, samples={"validation": 1000})).trial.trial == "t02"


def test_less_may_be_better_and_where_nobody_knows_the_error_the_better_wins() -> None:
    trials = (("t01", [0.5, 0.4], True), ("t02", [0.39, 0.39], False))
    progress = progress_of(*trials, metric=MetricSpec("mae", "min"))
    assert choose(progress).trial.trial == "t02"
    assert standard_error(progress, progress.trials["t01"]) is None


def test_the_last_quarter_is_at_least_one_epoch() -> None:
    assert steady_of({1: 0.1}) == 0.1
    assert steady_of({1: 0.1, 2: 0.2, 3: 0.3, 4: 0.4}) == 0.4
    assert steady_of({epoch: float(epoch) for epoch in range(1, 9)}) == 7.5


def test_somebody_must_have_a_score() -> None:
    with pytest.raises(ValueError, match="no trial has a score"):
        choose(progress_of(("t01", [], True)))


def test_the_leaderboard_shows_how_sure_a_share_is() -> None:
    progress = progress_of(("t01", [0.85], False))
    low, high = progress.interval(progress.trials["t01"]) or (0.0, 0.0)
    assert (round(low, 3), round(high, 3)) == (0.767, 0.907)
    assert progress_of(("t01", [0.85], False), samples={}).interval(progress.trials["t01"]) is None
