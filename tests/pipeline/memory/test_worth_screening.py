"""What a job's backbones are scored at, before anything is loaded."""

from typing import Any

from graft.pipeline.memory.worth_screening import candidates_of, plan_of, worth_screening
from graft.search.screening.report import Candidate
from graft.spec.job import Job
from graft.spec.load import parse_job

TWO = {"choice": ["efficientnet_lite0", "mobilenet_v2"]}


def job_of(search: Any = None, data: Any = "digits", **strategy: Any) -> Job:
    raw = {"name": "x", "data": data, "strategy": {"freeze": 0.5, **strategy}, "training": {"epochs": 6}}
    return parse_job({**raw, "search": search or {"budget": {"trials": 16}}})


def test_backbones_are_looked_at_at_the_depths_that_the_space_keeps() -> None:
    assert candidates_of(job_of(backbone=TWO, resolution=128)) == (
        Candidate("efficientnet_lite0", 1.0, 64),
        Candidate("mobilenet_v2", 1.0, 64),
    )
    kept = candidates_of(job_of(structure={"keep": {"choice": [0.7, 1.0]}}, resolution=128))
    assert [(one.backbone, one.depth) for one in kept] == [("efficientnet_lite0", 1.0), ("efficientnet_lite0", 0.7)]
    ranged = candidates_of(job_of(structure={"keep": {"uniform": [0.3, 1.0]}}))
    assert [one.depth for one in ranged][::2] == [1.0, 0.3]


def test_inputs_are_no_larger_than_those_of_the_search() -> None:
    assert {one.size for one in candidates_of(job_of(backbone=TWO, resolution=32))} == {32}


def test_one_backbone_is_not_scored() -> None:
    assert candidates_of(job_of()) == ()
    assert plan_of(job_of(), 100_000) == {
        "candidates": [],
        "rows": 0,
        "told": "none: there is no choice of backbones or depths",
    }


def test_a_searcher_that_learns_from_no_tasks_scores_nothing() -> None:
    plain = job_of({"searcher": "random", "budget": {"trials": 16}}, backbone=TWO)
    off = job_of({"searcher": {"kind": "meta", "screening": 0}, "budget": {"trials": 16}}, backbone=TWO)
    assert worth_screening(plain, 100_000, None)[1].rows == worth_screening(off, 100_000, None)[1].rows == 0


def test_the_plan_tells_what_a_run_will_look_at() -> None:
    timed = job_of({"budget": {"minutes": 30}}, backbone=TWO)
    found = plan_of(timed, 100_000)
    assert (found["rows"], found["told"]) == (500, "2 backbones on 500 rows, in 18 s at most")
    assert found["candidates"][0] == {"backbone": "efficientnet_lite0", "depth": 1.0, "size": 64}
    assert plan_of(timed, 50)["told"].startswith("none: 0.01 of the search is enough for ")
