"""A job of meta-training whose keys are distributions: read, dumped, drawn, refused."""

import pickle
import random
from typing import Any

import pytest
from pydantic import ValidationError

from graft.core.errors import SpecError
from graft.spec.fit import strategy_problems
from graft.spec.load import parse_job
from graft.spec.meta.job import MetaJob
from graft.spec.meta.search_job import search_job
from graft.spec.strategy import Strategy

BASE: dict[str, Any] = {
    "kind": "meta",
    "name": "glyphs",
    "data": {"kind": "digits"},
    "start": {"kind": "map", "width": {"choice": [64, 128]}},
    "adapter": {"choice": ["prototypes", {"kind": "ridge", "penalty": {"loguniform": [0.1, 10]}}]},
    "tasks": {"ways": {"choice": [5, 20]}},
    "training": {"lr": {"loguniform": [1e-4, 1e-2]}},
}


def told(**changes: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        MetaJob.model_validate({**BASE, **changes})
    return [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in caught.value.errors()]


def test_what_is_searched_survives_every_way_of_keeping_it() -> None:
    job = MetaJob.model_validate(BASE)
    assert job.searched == ("start", "adapter", "tasks.ways", "training.lr")
    assert job.views == ("features",)
    assert (job.start.kind, job.tasks.ways, job.training.lr) == ("map", 5, 1e-4)
    dumped = job.model_dump(mode="json")
    assert dumped["start"] == BASE["start"]
    for again in (MetaJob.model_validate(dumped), MetaJob.read_stored(dumped), pickle.loads(pickle.dumps(job))):
        assert again == job
        assert again.space == job.space


def test_a_job_without_distributions_is_one_strategy() -> None:
    job = MetaJob.model_validate({**BASE, "start": "map", "adapter": "anil", "tasks": {}, "training": {"lr": 0.01}})
    assert not job.is_search
    strategy = job.space.only()
    assert strategy.episodes is not None
    assert (strategy.lr, strategy.episodes.ways, strategy.episodes.adapter.kind) == (0.01, 20, "anil")


def test_what_is_drawn_is_a_strategy_as_any_other() -> None:
    job = MetaJob.model_validate(BASE)
    drawn = [job.space.sample(random.Random(seed)) for seed in range(12)]
    assert len({one.key() for one in drawn}) == 12
    assert {one.architecture() for one in drawn} != {Strategy().architecture()}
    for one in drawn:
        assert Strategy.read_stored(one.model_dump(mode="json")) == one == one.canonical(4)
        at = job.space.coordinates(one)
        assert at["lr"] == one.lr
        assert at.keys() >= {"episodes.start.map.width", "episodes.adapter", "episodes.ways"}
    label = drawn[0].label(job.space.varied())
    assert label.startswith(f"map {drawn[0].episodes.adapter.kind} ")  # type: ignore[union-attr]
    assert " start.width=" in label
    assert "episodes" not in Strategy().model_dump()


def test_views_are_those_of_every_start() -> None:
    both = MetaJob.model_validate({**BASE, "start": {"choice": ["network", "map"]}})
    assert both.views == ("raw", "features")


def test_its_search_is_that_of_any_job() -> None:
    job = search_job(MetaJob.model_validate({**BASE, "search": {"budget": {"trials": 5}, "seed": 3}}))
    assert (job.objective.name, job.search.budget.most_trials, job.search.seed) == ("accuracy", 5, 3)
    assert [phase.trials for phase in job.phases] == [5]
    late = MetaJob.model_validate({**BASE, "search": {"scheduler": {"kind": "asha", "grace_epochs": 40}}})
    with pytest.raises(SpecError, match=r"must be <= training\.epochs"):
        search_job(late)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"start": {"kind": "map", "width": {"choice": [0, 9]}}}, "start.width.choice.0: is 0, but must be between"),
        ({"start": {"kind": "map", "widht": {"choice": [1]}}}, "start.widht: is not a key of start of kind map; did"),
        ({"adapter": {"choice": ["ridge", "logistic"]}}, "adapter: is logistic, through which no start is learned"),
        ({"tasks": {"ways": {"uniform": [2, 9]}}}, "tasks.ways.uniform: draws fractions, but must draw whole numbers"),
        (
            {"strategy": {"resolution": {"choice": [64, 96]}}},
            "strategy.resolution: is searched, but all",
        ),
        ({"search": {"scheduler": "pbt"}}, "start: is searched, but the members of pbt copy each other's weights"),
        ({"search": {"population": 4}}, "search.population: is 4, but asha has no population"),
        (
            {"training": {"tasks": {"choice": [2, 4]}}, "resources": {"workers": 2}},
            "training.tasks: is searched, but must be a multiple of resources.workers, 2",
        ),
        ({"resources": {"workers": 2}}, "training.tasks: is 1, but must be a multiple of resources.workers, 2"),
        ({"strategy": {"episodes": {}}}, "strategy.episodes: is given, but a job says it in `start`, `adapter`"),
    ],
)
def test_what_makes_no_sense_is_told_where_it_stands(changes: dict[str, Any], expected: str) -> None:
    found = told(**changes)
    assert any(one.startswith(expected) for one in found), found


def test_every_problem_is_told_at_once() -> None:
    found = told(training={"lr": {"uniform": [0, "a"]}, "epochs": 0})
    assert {one.partition(":")[0] for one in found} == {"training.epochs", "training.lr.uniform"}


def test_an_ordinary_job_has_no_episodes() -> None:
    job = parse_job({"name": "digits", "data": "digits", "strategy": {"episodes": {"ways": 5}}})
    told = {problem.where: problem.message for problem in strategy_problems(job, job.decided_task)}
    assert "belongs to jobs with `kind: meta`" in told["strategy.episodes"]
