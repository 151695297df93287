"""What was said of the time left, held against the truth."""

from pathlib import Path

import pytest

from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.standing.estimates import Check, Moments, checks_of, journal_estimates, share_held
from graft.experiments.standing.time_left import TimeLeft
from graft.journal import events
from graft.journal.events import ExperimentStatus
from graft.journal.journal import Journal
from graft.search.outlook import Outlook
from graft.spec.load import parse_job

JOB = {
    "name": "x",
    "data": "digits",
    "search": {"scheduler": "none", "budget": {"trials": 2}},
    "training": {"epochs": 4},
}


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    return Experiment.create(Home(tmp_path), parse_job(JOB))


def run(status: ExperimentStatus = ExperimentStatus.COMPLETED, begin: float = 100.0) -> list[events.Event]:
    """Eight epochs of three seconds, and the rest."""
    story: list[events.Event] = [
        events.ExperimentStarted("x", "x", {}, time=begin),
        events.StageStarted("search", time=begin),
        events.TrialStarted("t01", {}, "t01", epochs=4, time=begin),
    ]
    story += [
        events.TrialReported("t01", epoch, {"val/accuracy": 0.5}, 3.0, time=begin + 3 * epoch) for epoch in range(1, 5)
    ]
    story.append(events.TrialFinished("t01", events.TrialStatus.COMPLETED, time=begin + 12.1))
    return [*story, events.ExperimentFinished(status, 30.0, time=begin + 30)]


def recorded(experiment: Experiment, story: list[events.Event], is_estimated: bool) -> None:
    job = experiment.job()
    progress = Progress(job.objective, job.training.epochs)
    with Journal(experiment.journal_file) as journal:
        journal.subscribe(progress.apply)
        if is_estimated:
            journal.subscribe(journal_estimates(journal, progress, Outlook.of(job)))
        for event in story:
            journal.append(event)


def test_moments_are_some_seconds_apart() -> None:
    moments = Moments()
    due = [moments.is_due(event) for event in run()]
    assert due == [False, True, False, False, True, False, True, False, False]


def test_what_was_journaled_is_held_against_the_end(experiment: Experiment) -> None:
    story = run()
    recorded(experiment, [*story[:5], events.TimeLeftEstimated(20.0, 5.0, time=106.0), *story[5:]], is_estimated=False)
    assert checks_of(experiment) == [Check(TimeLeft(20.0, 5.0), 24.0)]
    assert share_held(checks_of(experiment)) == 1.0


def test_a_run_journals_what_it_says(experiment: Experiment) -> None:
    recorded(experiment, run(), is_estimated=True)
    text = experiment.journal_file.read_text()
    assert text.count("TimeLeftEstimated") == 2  # nothing can be said before the first epoch


def test_an_old_journal_is_asked_what_it_would_have_said(experiment: Experiment) -> None:
    recorded(experiment, run(), is_estimated=False)
    assert [check.truth for check in checks_of(experiment)] == [24.0, 18.0]


def test_a_run_that_came_to_no_end_has_no_truth(experiment: Experiment) -> None:
    recorded(experiment, run(ExperimentStatus.INTERRUPTED), is_estimated=False)
    assert checks_of(experiment) == []
    recorded(experiment, run(begin=200.0), is_estimated=False)
    assert [check.truth for check in checks_of(experiment)] == [24.0, 18.0]


def test_a_journal_can_be_asked_again_what_this_graft_would_have_said(experiment: Experiment) -> None:
    story = run()
    recorded(experiment, [*story[:5], events.TimeLeftEstimated(20.0, 5.0, time=106.0), *story[5:]], is_estimated=False)
    found = checks_of(experiment, is_asked_again=True)
    assert [check.truth for check in found] == [24.0, 18.0]
    assert 20.0 not in [check.left.seconds for check in found]
