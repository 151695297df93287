"""The journal in the terms of the search: what a run that goes on needs to know."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graft.experiments.history import SearchHistory, best_of
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import Event, TrialStatus
from graft.journal.journal import Journal, read
from graft.search.protocol import LENGTH, Checkpoint, Exploit, Past, Proposal, Report, TrialEnd
from graft.spec.tasks.lookup import metric_named


def history_of(happened: Iterable[Event], metric: str = "accuracy") -> SearchHistory:
    history = SearchHistory(metric_named(metric))
    for event in happened:
        history.apply(event)
    return history


@pytest.fixture
def story(trials: Any) -> list[Event]:
    """Two phases: t02 copies t01 at epoch 2; t03 goes on from t01's weights; t01 was interrupted and went on."""
    return [
        events.PhaseStarted(0, "pbt", "random", 4),
        trials.started("t01"), trials.started("t02"),
        trials.reported("t01", 1, 0.5), trials.reported("t02", 1, 0.1),
        trials.reported("t01", 2, 0.6), trials.reported("t02", 2, 0.2),
        trials.exploited("t02", "t01", 2),
        events.DuplicateSkipped(None, "t01", "k"),
        trials.ended("t01", TrialStatus.INTERRUPTED),
        events.PhaseStarted(0, "pbt", "random", 4),
        trials.started("t01"), trials.reported("t01", 3, 0.7), trials.ended("t01"),
        trials.started("t02", strategy=trials.strategy.model_copy(update={"lr": 0.02}), start=("t01", 0, 2)),
        trials.reported("t02", 3, 0.9), trials.ended("t02"),
        events.PhaseFinished(0, 2, 0.9, "t02", 9.0),
        events.PhaseStarted(1, "none", "random", 6),
        events.DuplicateSkipped(None, "t01", "k"), events.DuplicateSkipped(None, "t02", "l"),
        trials.started("t03", phase=1, epochs=6, start=("t01", 0, 4)),
        trials.reported("t03", 5, 0.8),
    ]  # fmt: skip


def test_every_event_becomes_a_record_of_its_phase(story: list[Event], trials: Any) -> None:
    first = list(history_of(story).of_phase(0))
    own, varied = trials.strategy, trials.strategy.model_copy(update={"lr": 0.02})
    copied = Proposal("t02", varied, Checkpoint("t01", 0, 2), segment=1, epochs=4)
    assert first == [
        Past("t01", Proposal("t01", own, epochs=4)),
        Past("t02", Proposal("t02", own, epochs=4)),
        Past("t01", Report("t01", 1, 0.5)),
        Past("t02", Report("t02", 1, 0.1)),
        Past("t01", Report("t01", 2, 0.6)),
        Past("t02", Report("t02", 2, 0.2)),
        Past("t02", copied),
        Past("t01", TrialEnd(TrialStatus.INTERRUPTED, "because")),
        Past("t01", Report("t01", 3, 0.7)),
        Past("t01", TrialEnd(TrialStatus.COMPLETED, "because")),
        Past("t02", Report("t02", 3, 0.9)),
        Past("t02", TrialEnd(TrialStatus.COMPLETED, "because")),
    ]
    assert [record.trial for record in history_of(story).of_phase(1)] == ["t03", "t03"]


def test_a_trial_that_was_started_again_is_one_proposal(story: list[Event]) -> None:
    history = history_of(story)
    assert [one.trial for one in history.proposed([0])] == ["t01", "t02"]
    assert [one.trial for one in history.proposed([0, 1])] == ["t01", "t02", "t03"]
    assert sorted(history.proposals) == [("t01", 0), ("t02", 0), ("t02", 1), ("t03", 0)]
    # what it was started with, not what it went on under
    assert history.proposals["t02", 0].strategy.lr == 0.01
    assert history.proposals["t02", 0].start is None


def test_a_proposal_keeps_its_starting_point_and_its_phase(story: list[Event]) -> None:
    (third,) = history_of(story).proposed([1])
    assert (third.start, third.epochs, third.phase, third.segment) == (Checkpoint("t01", 0, 4), 6, 1, 0)


def test_duplicates_are_counted_by_phase(story: list[Event]) -> None:
    assert history_of(story).duplicates == {0: 1, 1: 2}


def test_exploits_are_told_with_what_changed(story: list[Event], trials: Any) -> None:
    ((after, exploit),) = history_of(story).exploits
    assert (after.trial, after.segment, after.epochs) == ("t02", 1, 4)
    assert exploit == Exploit(Checkpoint("t01", 0, 2), after.strategy, {"lr": (0.01, 0.02)}, "copies t01")


def test_the_metric_of_the_job_is_what_was_reported(story: list[Event]) -> None:
    reports = [one.what for one in history_of(story, "loss").past if isinstance(one.what, Report)]
    assert reports[0].value == pytest.approx(0.5)
    assert reports[-1].value == pytest.approx(0.2)
    silent = events.TrialReported("t01", 1, {"train/loss": 1.0}, 1.0)
    assert len(history_of([story[1], silent]).past) == 1


def test_the_lineage_leads_to_the_best_epoch(story: list[Event], fold: Callable[..., Progress]) -> None:
    progress = fold(*story)
    lineage = history_of(story).lineage(progress)
    assert lineage.best == Checkpoint("t02", 1, 3) == best_of(progress.trials["t02"])
    assert lineage.depth == 1
    assert [(one.trial, one.donor.trial, one.epoch) for one in lineage.events] == [("t02", "t01", 2)]
    rates = [(part.from_epoch, part.to_epoch, part.strategy.lr) for part in lineage.schedule_of("t02", 1, 3)]
    assert rates == [(0, 2, 0.01), (2, 3, 0.02)]


def test_before_the_first_report_there_is_no_best(trials: Any, fold: Callable[..., Progress]) -> None:
    happened = [events.PhaseStarted(0, "none", "random", 4), trials.started("t01")]
    assert history_of(happened).lineage(fold(*happened)).best is None


def test_it_is_the_same_from_the_file(story: list[Event], tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        for event in story:
            journal.append(event)
    again = history_of(event for _, event in read(tmp_path / "journal.jsonl"))
    told = history_of(story)
    assert (again.past, again.proposals, again.duplicates) == (told.past, told.proposals, told.duplicates)
    # JSON has lists only
    assert [(after, list(one.changes["lr"])) for after, one in again.exploits] == [(told.exploits[0][0], [0.01, 0.02])]


def test_epochs_that_a_trial_has_planned_are_those_it_goes_on_with(trials: Any) -> None:
    reported = trials.reported("t01", 1, 0.5)
    short = replace(reported, metrics={**reported.metrics, LENGTH: 3.0})
    history = history_of([events.PhaseStarted(0, "asha", "random", 4), trials.started("t01"), short])
    assert history.past[-1] == Past("t01", Report("t01", 1, 0.5, length=3))
    (began,) = history.proposed([0])
    assert (began.epochs, began.length) == (3, 3)
