"""A search that cannot be run is told with its file and line, in one line; what was stored can be read back."""

from collections.abc import Callable
from typing import Any

import pytest

from graft.spec.job import Job
from graft.spec.load import load_job, parse_job
from graft.spec.search.schedulers import Asha, Pbt
from graft.spec.search.search import PhaseSpec, SearchSpec

Told = Callable[..., list[str]]

SEARCHES: list[Any] = [
    {},
    {"scheduler": "pb2", "searcher": {"kind": "tpe", "start_up": 3}, "population": 4},
    {"phases": [{"scheduler": "asha", "trials": 3, "epochs": 2}, {"scheduler": "pbt", "from": "top"}], "seed": 4},
    [{"scheduler": {"kind": "pbt", "mutate": ["lr"]}, "population": 2}],
    {"metric": "loss", "budget": {"target": {"loss": 0.1}, "minutes": 2, "cost": 3, "trials": 9}},
]


def job_with(search: Any) -> Job:
    raw = {"name": "x", "data": "digits", "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}}, "search": search}
    return parse_job({**raw, "resources": {"price": {"cpu_hour": 0.1}}})


@pytest.mark.parametrize("search", SEARCHES)
def test_what_was_stored_is_read_back(search: Any) -> None:
    job = job_with(search)
    stored = job.model_dump(mode="json")
    assert Job.read_stored(stored) == job
    assert parse_job(stored) == job
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_keys_of_a_newer_version_are_passed_over_in_what_was_stored() -> None:
    job = job_with(SEARCHES[2])
    stored = job.model_dump(mode="json")
    stored["search"]["phases"][1] |= {"hologram": 3}
    stored["search"]["phases"][0]["scheduler"] |= {"depth": 3}
    stored["search"]["budget"] |= {"kelvin": 3}
    assert Job.read_stored(stored) == job


def test_a_phase_is_stored_with_the_key_of_the_job_file() -> None:
    stored = PhaseSpec.model_validate({"from": "top"}).model_dump(mode="json")
    assert stored["from"] == "top"
    assert "start" not in stored


def test_only_a_population_has_a_size_of_its_own() -> None:
    assert PhaseSpec().size is None
    assert PhaseSpec(trials=4).size == 4
    assert PhaseSpec(scheduler=Pbt()).size == 6
    assert PhaseSpec(scheduler=Pbt(), population=4).size == 4


def test_a_list_of_phases_is_the_same_as_the_key() -> None:
    listed = [{"scheduler": "asha", "trials": 2}]
    assert SearchSpec.model_validate(listed) == SearchSpec.model_validate({"phases": listed})
    assert SearchSpec.model_validate(listed).scheduler == Asha()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            ["search:", "  scheduler: pbt", "  population: 1"],
            "x.yaml:5 search.population: is 1, but must be between 2 and 10000",
            id="population smaller than 2",
        ),
        pytest.param(
            ["search:", "  - scheduler: asha", "  - scheduler: pbt", "    from: top", "    population: 1"],
            "x.yaml:7 search[1].population: is 1, but must be between 2 and 10000",
            id="population smaller than 2, in a phase",
        ),
        pytest.param(
            ["search:", "  population: 4"],
            "x.yaml:4 search.population: is 4, but asha has no population; use `budget.trials`, or pbt",
            id="population without pbt",
        ),
        pytest.param(
            ["search:", "  - scheduler: none", "    population: 4"],
            "x.yaml:5 search[0].population: is 4, but none has no population; use `trials`, or pbt or pb2",
            id="population without pbt, in a phase",
        ),
        pytest.param(
            ["search:", "  phases:", "    - scheduler: none", "      population: 4"],
            "x.yaml:6 search.phases[0].population: is 4, but none has no population; use `trials`, or pbt or pb2",
            id="population without pbt, under phases",
        ),
        pytest.param(
            ["search:", "  - scheduler: pbt", "    trials: 4"],
            "x.yaml:5 search[0].trials: is 4, but the trials of pbt are its population; use `population`",
            id="trials of a population",
        ),
        pytest.param(
            ["search:", "  - scheduler: asha", "    from: top"],
            "x.yaml:5 search[0].from: is `top`, but there is no phase before the first; use `space`",
            id="from top first",
        ),
        pytest.param(
            ["search:", "  - scheduler: asha", "    from: best"],
            "x.yaml:5 search[0].from: is `best`, but must be one of space, top",
            id="from anything else",
        ),
        pytest.param(
            ["search:", "  scheduler: none", "  phases:", "    - scheduler: asha"],
            "x.yaml:4 search.scheduler: is given beside `phases`; put it into each phase instead",
            id="phases beside scheduler",
        ),
        pytest.param(
            ["search:", "  population: 4", "  phases:", "    - scheduler: asha"],
            "x.yaml:4 search.population: is given beside `phases`; put it into each phase instead",
            id="phases beside population",
        ),
        pytest.param(
            ["search: []"],
            "x.yaml:3 search: is an empty list, but must have a phase, as in `- scheduler: asha`",
            id="no phase",
        ),
        pytest.param(
            ["search:", "  budget:", "    target: {loss: 0.1}"],
            "x.yaml:5 search.budget.target: is a value of `loss`, but must be one of `accuracy`, which is "
            "`search.metric`",
            id="target of another metric",
        ),
        pytest.param(
            ["search:", "  budget:", "    target: .nan"],
            "x.yaml:5 search.budget.target: is nan, but must be a number, as in `target: 0.98`, or the metric with "
            "one, as in `target: {accuracy: 0.98}`",
            id="target that is no number",
        ),
    ],
)
def test_a_search_that_cannot_be_run_is_told_in_one_line(told_of: Told, lines: list[str], expected: str) -> None:
    assert told_of(*lines) == [expected]


def test_a_key_of_another_place_is_found(told_of: Told) -> None:
    assert told_of("population: 3") == ["x.yaml:3 population: is not a key of a job; did you mean `search.population`?"]


def test_an_override_reaches_a_search_that_is_a_list(tmp_path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("name: x\ndata: digits\nsearch:\n  - {scheduler: none, trials: 3}\n")
    job = load_job(path, ["search.seed=7", "search.budget.minutes=2"])
    assert (job.search.seed, job.search.budget.minutes, job.phases[0].trials) == (7, 2, 3)
