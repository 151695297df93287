"""How much of a search is worth running at once."""

from typing import Any

import pytest

from graft.search.outlook import worth_at_once
from graft.spec.job import Job


def job(search: dict[str, Any], **given: Any) -> Job:
    strategy = {"lr": {"loguniform": [1e-4, 1e-2]}}
    base = {"name": "a", "data": {"kind": "digits"}, "strategy": strategy, "training": {"epochs": 9}}
    return Job.model_validate({**base, "search": search, **given})


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({"scheduler": "asha", "budget": {"trials": 24}}, 8),
        ({"scheduler": "asha", "budget": {"trials": 2}}, 1),
        ({"scheduler": "asha", "budget": {"trials": 100}}, 30),
        ({"scheduler": "asha", "budget": {"trials": 200}}, 40),
        ({"scheduler": "none", "budget": {"trials": 24}}, 24),
        ({"scheduler": "pbt", "population": 6}, 6),
        ({"scheduler": "asha", "budget": {"minutes": 10}}, None),
        ({"phases": [{"scheduler": "asha", "trials": 30}, {"scheduler": "pbt", "population": 4, "from": "top"}]}, 9),
    ],
)
def test_three_in_ten_of_what_is_compared_early_all_of_the_rest(search: dict[str, Any], expected: int | None) -> None:
    assert worth_at_once(job(search)) == expected


def test_what_the_job_says_counts() -> None:
    assert worth_at_once(job({"budget": {"trials": 24}}, resources={"concurrent_trials": 20})) == 24


def test_a_cap_on_nodes_is_a_cap_on_trials_where_nobody_knows_what_a_node_holds() -> None:
    capped = job({"budget": {"trials": 100, "nodes": 8}}, resources={"workers": 2})
    assert worth_at_once(capped) == 30
    assert worth_at_once(capped, is_size_known=False) == 4
    endless = job({"budget": {"minutes": 9, "nodes": 8}})
    assert worth_at_once(endless, is_size_known=False) == 8
