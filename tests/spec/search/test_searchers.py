"""Every searcher can be named, with and without its parameters."""

from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.spec.load import parse_job
from graft.spec.registry import members
from graft.spec.search.searchers import (
    BohbSearcher,
    CmaEsSearcher,
    GridSearcher,
    MetaSearcher,
    RandomSearcher,
    SobolSearcher,
    TpeSearcher,
)

GIVEN = {
    "random": ({}, RandomSearcher()),
    "meta": ({"portfolio": 3, "free": 0.5}, MetaSearcher(portfolio=3, free=0.5)),
    "grid": ({"points": 5}, GridSearcher(points=5)),
    "sobol": ({}, SobolSearcher()),
    "tpe": ({"start_up": 4}, TpeSearcher(start_up=4)),
    "cmaes": ({"start_up": 4}, CmaEsSearcher(start_up=4)),
    "bohb": ({"start_up": 4}, BohbSearcher(start_up=4)),
}


def searcher_of(raw: Any) -> Any:
    return parse_job({"name": "x", "data": "digits", "search": {"searcher": raw}}).search.searcher


def test_every_kind_is_tested_here() -> None:
    assert sorted(members("searcher")) == sorted(GIVEN)


@pytest.mark.parametrize("kind", GIVEN)
def test_a_bare_name_is_the_searcher_with_its_defaults(kind: str) -> None:
    assert searcher_of(kind) == searcher_of({"kind": kind}) == type(GIVEN[kind][1])()


@pytest.mark.parametrize("kind", GIVEN)
def test_its_parameters_can_be_given(kind: str) -> None:
    parameters, expected = GIVEN[kind]
    assert searcher_of({"kind": kind, **parameters}) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"kind": "tpe", "start_up": 0}, "search.searcher.start_up: is 0, but must be between 1 and 10000"),
        ({"kind": "grid", "points": 0}, "search.searcher.points: is 0, but must be between 1 and 1000"),
        ({"kind": "random", "points": 3}, "search.searcher.points: is not a key of search.searcher of kind random"),
        (
            "cma_es",
            "search.searcher: is `cma_es`, but must be one of random, meta, grid, sobol, tpe, cmaes, bohb; did you",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(raw: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        searcher_of(raw)
    assert len(caught.value.problems) == 1
    assert str(caught.value.problems[0]).startswith(expected)
