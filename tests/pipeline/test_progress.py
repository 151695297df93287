"""The state of an experiment is what its journal says."""

from collections.abc import Iterable

import pytest

from graft.pipeline.progress import RUNNING, Progress, leaderboard
from graft.pipeline.stages import StageState
from graft.spec.metrics import METRICS
from graft.spec.strategy import Strategy
from graft.tracking import events
from graft.tracking.events import Event, TrialStatus

STRATEGY = Strategy(lr=0.01)


def fold(happened: Iterable[Event], metric: str = "accuracy") -> Progress:
    progress = Progress(METRICS[metric], epochs=4)
    for event in happened:
        progress.apply(event)
    return progress


def trial(name: str, scores: list[float], status: TrialStatus | None = TrialStatus.COMPLETED) -> list[Event]:
    started = events.TrialStarted(name, STRATEGY.model_dump(mode="json"), STRATEGY.label(), time=10.0)
    reports = [
        events.TrialReported(name, epoch, {"val/accuracy": score, "val/loss": 1 - score}, 2.0, time=10.0 + 2 * epoch)
        for epoch, score in enumerate(scores, start=1)
    ]
    end = [] if status is None else [events.TrialFinished(name, status, "because", len(scores), time=20.0)]
    return [started, *reports, *end]


def test_trials_are_ranked_by_their_best_epoch() -> None:
    progress = fold([*trial("t01", [0.5, 0.8, 0.7]), *trial("t02", [0.9]), *trial("t03", [], TrialStatus.FAILED)])
    assert [one.trial for one in progress.ranked()] == ["t02", "t01", "t03"]
    assert (progress.trials["t01"].best_epoch, progress.score(progress.trials["t01"])) == (2, 0.8)
    assert progress.score(progress.trials["t03"]) is None


def test_a_loss_is_ranked_the_other_way_round() -> None:
    progress = fold([*trial("t01", [0.5]), *trial("t02", [0.9])], metric="loss")
    assert [one.trial for one in progress.ranked()] == ["t02", "t01"]
    assert progress.score(progress.trials["t02"]) == pytest.approx(0.1)


def test_a_nan_is_never_the_best() -> None:
    progress = fold(trial("t01", [0.3, float("nan")]))
    assert progress.score(progress.trials["t01"]) == 0.3


def test_counts_cover_every_way_to_end() -> None:
    happened = [
        *trial("t01", [0.5]),
        *trial("t02", [0.5], TrialStatus.STOPPED),
        *trial("t03", [], TrialStatus.FAILED),
        *trial("t04", [0.1], None),
        events.DuplicateSkipped(None, "t01", "abc"),
    ]
    counts = fold(happened).counts()
    assert counts == {"total": 4, "completed": 1, "stopped": 1, "failed": 1, "interrupted": 0, "duplicates": 1}


def test_a_resumed_experiment_starts_its_interrupted_trials_and_its_duplicates_anew() -> None:
    started = events.ExperimentStarted("x", "x", {}, time=1.0)
    first = [started, events.DuplicateSkipped(None, "t01", "abc"), *trial("t01", [0.9], TrialStatus.INTERRUPTED)]
    again = [events.ExperimentStarted("x", "x", {}, time=50.0), *trial("t01", [0.2], None)]
    progress = fold([*first, *again])
    assert progress.trials["t01"].status == RUNNING
    assert progress.score(progress.trials["t01"]) == 0.2
    assert progress.duplicates == 0
    assert progress.started == 1.0


def test_only_trials_that_ended_by_themselves_need_no_training_again() -> None:
    happened = [*trial("t01", [0.5]), *trial("t02", [0.5], TrialStatus.INTERRUPTED)]
    assert fold(happened[:3]).finished_keys() == {STRATEGY.key(): "t01"}
    assert fold(happened[3:]).finished_keys() == {}


def test_stages_go_through_their_states() -> None:
    progress = fold([events.StageStarted("ingest"), events.StageFinished("ingest", 3.5, "1797 images")])
    assert progress.stages["ingest"].state is StageState.DONE
    assert (progress.stages["ingest"].seconds, progress.stages["ingest"].detail) == (3.5, "1797 images")
    progress.apply(events.StageStarted("search"))
    assert not progress.stages["search"].state.is_terminal
    progress.apply(events.StageFailed("search", 1.0, "boom"))
    assert progress.stages["search"].state is StageState.FAILED
    progress.apply(events.StageSkipped("search", "there"))
    assert progress.stages["search"].state.is_terminal


def test_the_leaderboard_is_plain_data_best_first() -> None:
    rows = leaderboard(fold([*trial("t01", [0.5]), *trial("t02", [0.9])]))
    assert [(row["rank"], row["trial"], row["score"]) for row in rows] == [(1, "t02", 0.9), (2, "t01", 0.5)]
    assert rows[0]["reason"] == "because"
    assert Strategy.model_validate(rows[0]["strategy"]) == STRATEGY
