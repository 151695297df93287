"""What an earlier search has found can be trained on other data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.core.storage import Home, write_json
from graft.experiments.directory import Experiment
from graft.experiments.replay import find_schedule, read_schedule, replayed_job
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.search.schedulers import NoScheduler
from graft.spec.strategy import Strategy

SCHEDULE = Schedule((Stretch(0, 2, Strategy(lr=0.1, resolution=48)), Stretch(2, 6, Strategy(lr=0.02, resolution=48))))
JOB = parse_job(
    {
        "name": "photos",
        "data": {"kind": "digits", "validation": 0.3},
        "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}},
        "training": {"epochs": 9},
        "search": {
            "phases": [{"scheduler": "asha", "trials": 8}, {"scheduler": "pbt", "population": 4, "from": "top"}],
            "seed": 5,
            "budget": {"minutes": 3},
        },
    }
)


def told(source: object) -> str:
    with pytest.raises(SpecError) as caught:
        find_schedule(str(source), Home.find())
    assert len(caught.value.problems) == 1
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_schedule_is_found_in_a_file(home: Path, make_file: Callable[..., Path]) -> None:
    assert find_schedule(str(make_file("schedule.json", SCHEDULE.to_dict())), Home.find()) == SCHEDULE


def test_a_schedule_is_found_in_an_experiment(home: Path) -> None:
    experiment = Experiment.create(Home.find(), JOB)
    write_json(experiment.schedule_file, SCHEDULE.to_dict())
    assert find_schedule(experiment.name, Home.find()) == SCHEDULE
    assert find_schedule("photos", Home.find()) == SCHEDULE
    assert find_schedule("latest", Home.find()) == SCHEDULE


def test_an_experiment_that_has_found_nothing_says_so(home: Path) -> None:
    experiment = Experiment.create(Home.find(), JOB)
    assert told("photos") == (
        f"--replay is `photos`, but {experiment.schedule_file} is not there; the search must have ended with a winner"
    )


@pytest.mark.parametrize("source", ["nope.json", "no/such/file"])
def test_a_file_that_is_not_there_is_told(home: Path, source: str) -> None:
    assert f"`{source}`" in told(source)


def test_an_experiment_that_is_not_there_is_told(home: Path) -> None:
    assert "experiment is `nope`" in told("nope")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{torn", "is no strategy schedule"),
        ("", "is no strategy schedule"),
        ([1, 2], "is not a strategy schedule; give a file that a population-based search has saved"),
        ({"format": 99, "epochs": 1, "stretches": []}, "is a strategy schedule of format 99, but this version reads"),
        ({"format": 1, "epochs": 1, "stretches": []}, "has no stretches, but must have at least one"),
        (
            {"format": 1, "epochs": 1, "stretches": [{"from": 0, "to": 1, "strategy": {"lr": 0.1, "warp": 9}}]},
            "has the strategy field `warp`, which this version does not know",
        ),
        (
            {"format": 1, "epochs": 1, "stretches": [{"from": 0, "to": 1, "strategy": {"lr": -1}}]},
            "cannot be replayed: stretches[0].strategy.lr is -1",
        ),
    ],
)
def test_a_bad_file_is_one_line(home: Path, make_file: Callable[..., Path], content: Any, expected: str) -> None:
    path = make_file("bad.json", content)
    line = told(path)
    assert str(path) in line
    assert expected in line


def test_a_schedule_is_read_back_as_it_was_written(make_file: Callable[..., Path]) -> None:
    assert read_schedule(make_file("schedule.json", SCHEDULE.to_dict())) == SCHEDULE


def test_a_replayed_job_is_a_job_of_one_trial() -> None:
    job = replayed_job(JOB, SCHEDULE)
    (phase,) = job.phases
    assert (phase.trials, phase.epochs, phase.scheduler) == (1, 9, NoScheduler())
    assert job.strategy.grid_size() == 1
    assert job.strategy.values("lr") == (0.02,)
    assert job.strategy.values("resolution") == (48,)


def test_all_else_of_the_job_stays() -> None:
    job = replayed_job(JOB, SCHEDULE)
    assert (job.data, job.training, job.name) == (JOB.data, JOB.training, JOB.name)
    assert (job.search.seed, job.objective.name, job.search.budget.minutes) == (5, "accuracy", 3)
    assert parse_job(job.model_dump(mode="json")) == job


def test_any_search_can_be_replaced() -> None:
    population = parse_job({"name": "x", "data": "digits", "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}},
                            "search": {"scheduler": "pbt", "population": 4}})  # fmt: skip
    job = replayed_job(population, SCHEDULE)
    assert [phase.trials for phase in job.phases] == [1]
    assert parse_job(job.model_dump(mode="json")) == job
