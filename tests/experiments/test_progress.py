"""The state of an experiment is what its journal says."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from graft.experiments.progress import RUNNING, Progress
from graft.experiments.stages import StageState
from graft.experiments.standing.leaderboard import leaderboard
from graft.journal import events
from graft.journal.events import Event, TrialStatus
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

STRATEGY = Strategy(lr=0.01)


def fold(happened: Iterable[Event], metric: str = "accuracy") -> Progress:
    progress = Progress(metric_named(metric), epochs=4)
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


def test_a_trial_that_goes_on_keeps_what_it_has() -> None:
    started = events.ExperimentStarted("x", "x", {}, time=1.0)
    first = [started, events.DuplicateSkipped(None, "t01", "abc"), *trial("t01", [0.9, 0.4], TrialStatus.INTERRUPTED)]
    again = [
        events.ExperimentStarted("x", "x", {}, time=50.0),
        events.TrialStarted("t01", STRATEGY.model_dump(mode="json"), STRATEGY.label(), time=51.0),
    ]
    progress = fold([*first, *again])
    resumed = progress.trials["t01"]
    assert (resumed.status, resumed.reason, resumed.epoch) == (RUNNING, "", 2)
    assert (progress.score(resumed), resumed.best_epoch, resumed.epoch_seconds) == (0.9, 1, [2.0, 2.0])
    progress.apply(events.TrialReported("t01", 3, {"val/accuracy": 0.2}, 2.0, time=60.0))
    assert (resumed.epoch, resumed.best_epoch, len(resumed.epoch_seconds)) == (3, 1, 3)
    assert (progress.duplicates, progress.started) == (1, 1.0)


def exploited(name: str, donor: str, epoch: int, segment: int) -> Event:
    varied = STRATEGY.model_copy(update={"lr": 0.5, "freeze": 1.0})
    return events.TrialExploited(
        name, segment, varied.model_dump(mode="json"), varied.label(), donor, 0, epoch, {"lr": (0.01, 0.5)}, "why"
    )


@pytest.mark.parametrize("at", [500.0, 15.0 - 3600.0])
def test_a_trial_that_goes_on_takes_no_time_between_its_runs_whatever_the_clock_says(at: float) -> None:
    started, *reported = trial("t01", [0.5], status=None)  # from 10 to 12
    again = [replace(started, time=at), events.TrialReported("t01", 2, {}, 3.0, time=at + 3)]
    assert fold([started, *reported, *again]).trials["t01"].seconds == pytest.approx(5.0)


def test_an_exploit_begins_another_segment_under_another_strategy() -> None:
    copy = exploited("t02", "t01", 1, segment=1)
    progress = fold([*trial("t01", [0.5, 0.6], None), *trial("t02", [0.7, 0.1], None), copy])
    copier = progress.trials["t02"]
    assert (copier.segment, copier.epoch, copier.label) == (1, 1, "efficientnet_lite0 freeze=1")
    assert Strategy.model_validate(copier.strategy).lr == 0.5
    assert progress.exploits == [copy]
    assert progress.trials["t01"].segment == 0


def test_the_best_epoch_is_that_of_the_segment_it_was_trained_in() -> None:
    story = [*trial("t01", [0.5, 0.6], None), *trial("t02", [0.7, 0.1], None), exploited("t02", "t01", 2, segment=1)]
    progress = fold([*story, events.TrialReported("t02", 3, {"val/accuracy": 0.65}, 2.0)])
    copier = progress.trials["t02"]
    assert (copier.best_segment, copier.best_epoch, copier.epoch) == (0, 1, 3)
    progress.apply(events.TrialReported("t02", 4, {"val/accuracy": 0.8}, 2.0))
    assert (copier.best_segment, copier.best_epoch) == (1, 4)


def test_the_leaderboard_says_what_was_trained_when_a_trial_was_best() -> None:
    story = [*trial("t01", [0.5, 0.6], None), *trial("t02", [0.7, 0.1], None), exploited("t02", "t01", 2, segment=1)]
    first = leaderboard(fold([*story, events.TrialReported("t02", 3, {"val/accuracy": 0.65}, 2.0)]))[0]
    assert (first["trial"], first["label"], first["exploits"]) == ("t02", "efficientnet_lite0", 1)
    assert Strategy.model_validate(first["strategy"]) == STRATEGY
    later = leaderboard(fold([*story, events.TrialReported("t02", 3, {"val/accuracy": 0.75}, 2.0)]))[0]
    assert (later["label"], later["strategy"]["lr"]) == ("efficientnet_lite0 freeze=1", 0.5)
    untrained = leaderboard(fold([*trial("t01", [], None)]))[0]
    assert Strategy.model_validate(untrained["strategy"]) == STRATEGY


def test_phases_begin_and_end() -> None:
    story = [
        events.PhaseStarted(0, "asha", "random", 2),
        *trial("t01", [0.5, 0.8]),
        events.PhaseFinished(0, 1, 0.8, "t01", 12.5),
        events.PhaseStarted(1, "pbt", "random", 4),
    ]
    progress = fold(story)
    first, second = progress.phases[0], progress.phases[1]
    assert (first.scheduler, first.trials, first.best, first.trial, first.seconds) == ("asha", 1, 0.8, "t01", 12.5)
    assert (second.scheduler, second.seconds) == ("pbt", None)
    progress.apply(events.PhaseStarted(1, "pbt", "random", 4))  # it goes on after a break
    assert progress.phases[1].seconds is None


def test_trials_of_a_phase_are_ranked() -> None:
    first, second = trial("t01", [0.5]), trial("t02", [0.9])
    other = [events.TrialStarted("t03", STRATEGY.model_dump(mode="json"), "x", phase=1, epochs=6), trial("t03", [1])[1]]
    progress = fold([*first, *second, *other])
    assert [one.trial for one in progress.of_phase(0)] == ["t02", "t01"]
    assert [one.trial for one in progress.of_phase(1)] == ["t03"]
    assert progress.trials["t03"].epochs == 6
    assert progress.of_phase(2) == []


def test_nodes_that_trained_a_trial_are_collected() -> None:
    story = [*trial("t01", [0.5], None), events.TrialPlaced("t01", ("b", "a")), events.TrialPlaced("t01", ("c", "a"))]
    assert fold(story).trials["t01"].nodes == ("a", "b", "c")


def test_the_reason_for_the_end_of_the_search_is_kept() -> None:
    ended = events.SearchEnded("target", "t01 has accuracy 0.99")
    assert fold([ended]).search_ended == ended
    assert fold([]).search_ended is None


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
    assert (rows[0]["phase"], rows[0]["exploits"]) == (0, 0)
    assert Strategy.model_validate(rows[0]["strategy"]) == STRATEGY


def started(time: float) -> Event:
    return events.ExperimentStarted("x", "x", {}, {}, time=time)


def test_runs_add_up_and_the_time_between_them_does_not() -> None:
    killed = [started(8.0), *trial("t01", [0.5], None)]  # its last record is of second 12
    assert fold(killed).spent == 4.0
    ended = events.ExperimentFinished(events.ExperimentStatus.INTERRUPTED, 30.0, time=1030.0)
    progress = fold([*killed, started(1000.0), ended, started(5000.0), events.StageStarted("fit", time=5005.0)])
    assert (progress.spent_before, progress.spent, progress.runs) == (34.0, 39.0, 3)


def test_a_clock_that_was_set_back_takes_no_time_back() -> None:
    assert fold([started(100.0), events.StageStarted("search", time=40.0), started(50.0)]).spent == 0.0


def test_a_trial_that_is_tried_again_reopens_its_phase() -> None:
    story = [
        events.PhaseStarted(0, "asha", "random", 4),
        *trial("t01", [0.5]),
        *trial("t02", [0.4], TrialStatus.FAILED),
        events.PhaseFinished(0, 2, 0.5, "t01", 9.0),
        events.SearchEnded("trials", "2 trials have ended"),
    ]
    again = fold([*story, events.TrialRetried("t02")])
    assert again.phases[0].seconds is None
    assert again.search_ended is None
    assert again.trials["t02"].status == "interrupted"
    assert not fold([*story, events.TrialRetried("t02"), *trial("t02", [0.9])]).trials["t02"].is_retrained


def test_a_trial_that_had_ended_and_trains_again_is_noticed() -> None:
    assert fold([*trial("t01", [0.5]), *trial("t01", [0.5])]).trials["t01"].is_retrained
    assert not fold([*trial("t01", [0.5], TrialStatus.INTERRUPTED), *trial("t01", [0.5])]).trials["t01"].is_retrained
