"""Finalists are scored by folds once, as long as there is time; who was killed in between goes on with the next."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graft.core.storage import Home
from graft.data.dataset import Dataset
from graft.experiments.budget import Deadline
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.experiments.standing.choice import choose
from graft.journal.events import Event, TrialEstimated, TrialNoted
from graft.journal.journal import Journal, read
from graft.learner.training_data import TrainingData
from graft.pipeline.stages import finals as module
from graft.pipeline.stages.finals import estimate_finalists
from graft.spec.load import parse_job
from graft.workers.allocation import Allocation

ONE = Allocation(cpus=1, gpus=0, concurrent=2, most_cpus=2)
SCORES = {"t01": 0.9, "t02": 0.8, "t03": 0.7}

Begin = Callable[..., Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Folds and epochs of each strategy that was scored; the second is the best."""
    made: list[tuple[int, int]] = []

    def away(fn: Any, data: TrainingData, strategy: Any, epochs: int, **options: Any) -> dict[str, float]:
        assert fn is module.estimate
        made.append((len(data.folds), epochs))
        mean = {1: 0.6, 2: 0.7}.get(len(made), 0.5)
        return {"accuracy": mean, "accuracy_low": mean - 0.01, "accuracy_high": mean + 0.01}

    monkeypatch.setattr(module, "run_remote", away)
    return made


@pytest.fixture
def begin(home: Path, clock: Any, fold: Callable[..., Progress], trials: Any) -> Begin:
    """``begin(top=2, seconds=100)``: a run whose trials have ended."""

    def build(top: int | None = 2, seconds: float | None = None) -> Any:
        search = {"evaluation": {"folds": 3, "repeats": 1, "top": top}}
        job = parse_job({"name": "x", "data": "digits", "search": search, "training": {"epochs": 4}})
        story: list[Event] = [event for name, best in SCORES.items() for event in trials.of(name, [best] * 4)]
        progress = fold(*story)
        experiment = Experiment.create(Home.find(), job)
        journal = Journal(experiment.journal_file, clock)
        journal.subscribe(progress.apply)
        deadline = None if seconds is None else Deadline(seconds, "minutes")
        run_clock = RunClock(job, progress, clock, ONE, ONE, deadline, 0.0)
        return SimpleNamespace(
            experiment=experiment, job=job, journal=journal, progress=progress, clock=clock, run_clock=run_clock
        )

    return build


def told(run: Any, kind: type[Event]) -> list[Any]:
    return [event for _, event in read(run.experiment.journal_file) if isinstance(event, kind)]


def test_the_best_trainings_are_scored_and_the_best_of_them_wins(
    begin: Begin, asked: list[tuple[int, int]], dataset: Dataset, training_data: TrainingData
) -> None:
    run = begin()
    estimate_finalists(run, dataset, training_data)
    assert asked == [(3, 4), (3, 4)]
    assert [one.trial for one in told(run, TrialEstimated)] == ["t01", "t02"]
    assert choose(run.progress).trial.trial == "t02"


def test_who_was_scored_before_is_not_scored_again(
    begin: Begin, asked: list[tuple[int, int]], dataset: Dataset, training_data: TrainingData
) -> None:
    run = begin()
    run.journal.append(TrialEstimated("t01", {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 1.0}, 1.0))
    estimate_finalists(run, dataset, training_data)
    assert [one.trial for one in told(run, TrialEstimated)] == ["t01", "t02"]
    assert len(asked) == 1


def test_nobody_is_scored_where_the_job_does_not_say_so(
    begin: Begin, asked: list[tuple[int, int]], dataset: Dataset, training_data: TrainingData
) -> None:
    estimate_finalists(begin(top=None), dataset, training_data)
    assert asked == []


def test_without_time_it_says_so(
    begin: Begin, asked: list[tuple[int, int]], dataset: Dataset, training_data: TrainingData
) -> None:
    run = begin(seconds=20.0)
    estimate_finalists(run, dataset, training_data)
    assert asked == []
    assert [one.text for one in told(run, TrialNoted)] == ["is not scored by folds: there is no time for it"] * 2
    assert choose(run.progress).trial.trial == "t01"


def test_the_search_leaves_time_for_them(begin: Begin, dataset: Dataset) -> None:
    of_top, of_nobody = (begin(top=top).run_clock.reserve(dataset).evaluation for top in (2, None))
    # Two finalists; three models each, on two thirds of 30 rows and not of 20, for four epochs of two seconds.
    assert of_top > of_nobody + 2 * 4 * 2.0
