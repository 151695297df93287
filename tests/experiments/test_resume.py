"""Going on with an experiment: found by its job, changed in what may change, failed trials tried again."""

from collections.abc import Callable
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.core.storage import Home, write_json
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.resume import change_job, failed_trials, find_unfinished, reopen, where_it_stands
from graft.journal import events
from graft.journal.events import Event, ExperimentStatus, TrialStatus
from graft.journal.journal import Journal
from graft.spec.job import Job
from graft.spec.load import parse_job

FAILED = TrialStatus.FAILED


def job(**search: Any) -> Job:
    return parse_job({"name": "digits", "data": "digits", "search": search})


def begin(home: Home, one: Job, *happened: Event) -> Experiment:
    experiment = Experiment.create(home, one)
    with Journal(experiment.journal_file) as journal:
        for event in (events.ExperimentStarted("x", "x", {}, {}), *happened):
            journal.append(event)
    return experiment


def finished(status: ExperimentStatus) -> Event:
    return events.ExperimentFinished(status, 1.0)


class TestFinding:
    @pytest.mark.parametrize("status", [None, ExperimentStatus.FAILED, ExperimentStatus.INTERRUPTED])
    def test_the_same_job_that_was_cut_off_is_found(self, home: Any, status: ExperimentStatus | None) -> None:
        experiment = begin(Home(home), job(), *([] if status is None else [finished(status)]))
        assert find_unfinished(Home(home), job()) == experiment

    def test_what_is_complete_is_not(self, home: Any) -> None:
        begin(Home(home), job(), finished(ExperimentStatus.COMPLETED))
        assert find_unfinished(Home(home), job()) is None

    def test_another_job_of_the_same_name_is_not(self, home: Any) -> None:
        begin(Home(home), job())
        assert find_unfinished(Home(home), job(seed=7)) is None

    def test_what_somebody_runs_is_not(self, home: Any) -> None:
        experiment = begin(Home(home), job())
        with Journal(experiment.journal_file):
            assert find_unfinished(Home(home), job()) is None

    def test_a_damaged_one_is_not(self, home: Any) -> None:
        begin(Home(home), job()).journal_file.write_text("{}\n{}\n")
        assert find_unfinished(Home(home), job()) is None


class TestChanging:
    def test_more_time_can_be_given(self, home: Any) -> None:
        experiment = Experiment.create(Home(home), job(budget={"minutes": 5}))
        change_job(experiment, ["search.budget.minutes=30", "keep.losers=all"])
        assert experiment.job().search.budget.minutes == 30
        assert experiment.job().keep.losers == "all"

    def test_what_the_trials_depend_on_cannot_change(self, home: Any) -> None:
        experiment = Experiment.create(Home(home), job())
        before = experiment.job_file.read_text()
        with pytest.raises(SpecError, match=r"training\.epochs.*cannot change.*search\.budget\.minutes") as caught:
            change_job(experiment, ["training.epochs=3", "search.budget.minutes=3", "data=digits"])
        assert len(caught.value.problems) == 2
        assert experiment.job_file.read_text() == before


class TestTryingAgain:
    def test_failed_trials_are_found(self, fold: Callable[..., Progress], trials: Any) -> None:
        progress = fold(*trials.of("t01", [0.5]), *trials.of("t02", [0.5], FAILED), *trials.of("t03", [], FAILED))
        assert failed_trials(progress) == ["t02", "t03"]

    def test_without_a_failed_trial_there_is_nothing_to_do(self, fold: Callable[..., Progress], trials: Any) -> None:
        with pytest.raises(SpecError, match="no trial has failed"):
            failed_trials(fold(*trials.of("t01", [0.5])))

    def test_a_phase_that_others_have_gone_on_from_stays(self, fold: Callable[..., Progress], trials: Any) -> None:
        with pytest.raises(SpecError, match="in phase 1, and phase 2 has gone on"):
            failed_trials(fold(*trials.of("t01", [], FAILED), *trials.of("t02", [0.5], phase=1)))

    def test_every_stage_after_the_ingest_runs_again(self, home: Any) -> None:
        experiment = Experiment.create(Home(home), job())
        for stage in ("ingest", "search", "fit", "evaluate", "export", "register"):
            write_json(experiment.stages / f"{stage}.json", {})
        write_json(experiment.final / "state.safetensors", {})
        reopen(experiment)
        assert [path.name for path in experiment.stages.iterdir()] == ["ingest.json"]
        assert not experiment.final.exists()


def test_where_it_goes_on(fold: Callable[..., Progress], trials: Any) -> None:
    assert where_it_stands(fold()) is None
    story = [
        events.ExperimentStarted("x", "x", {}, {}, time=5.0),
        events.StageFinished("ingest", 2.0, time=7.0),
        *trials.of("t01", [0.5]),
        *trials.of("t02", [0.5], None),
    ]
    assert where_it_stands(fold(*story)) == {"stage": "search", "trials": 1, "seconds": 7.0}
