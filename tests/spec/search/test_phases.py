"""A search as it will be run: every default of every phase decided."""

from typing import Any

import pytest

from graft.spec.load import parse_job
from graft.spec.search.phases import Phase, describe, phases_of, total_trials
from graft.spec.search.schedulers import Asha, NoScheduler, Pbt
from graft.spec.search.search import SearchSpec
from graft.spec.search.searchers import MetaSearcher, TpeSearcher

EXPLORE_THEN_EVOLVE = [
    {"scheduler": "asha", "trials": 32},
    {"scheduler": "pbt", "population": 6, "from": "top"},
]


def phases(search: Any, epochs: int = 8) -> tuple[Phase, ...]:
    return phases_of(SearchSpec.model_validate(search), epochs)


def ends(search: Any, epochs: int) -> list[int]:
    return [phase.epochs for phase in phases(search, epochs)]


def sizes(search: Any) -> list[int | None]:
    return [phase.trials for phase in phases(search)]


def test_a_search_without_phases_is_one_phase() -> None:
    (only,) = phases({"scheduler": "none", "searcher": "tpe", "budget": {"trials": 5}})
    assert (only.index, only.scheduler, only.searcher) == (0, NoScheduler(), TpeSearcher())
    assert (only.trials, only.epochs) == (5, 8)
    assert (only.from_top, only.is_population_based, only.feeds_next) == (False, False, False)


def test_a_list_is_a_search_of_phases() -> None:
    job = parse_job(
        {
            "name": "x",
            "data": "digits",
            "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}},
            "search": EXPLORE_THEN_EVOLVE,
        }
    )
    first, second = job.phases
    assert (first.scheduler, first.searcher, first.trials, first.epochs) == (Asha(), MetaSearcher(), 32, 4)
    assert (second.scheduler, second.searcher, second.trials, second.epochs) == (Pbt(), MetaSearcher(), 6, 8)
    assert (first.from_top, first.feeds_next, first.is_population_based) == (False, True, False)
    assert (second.from_top, second.feeds_next, second.is_population_based) == (True, False, True)


def test_phases_that_build_on_each_other_share_the_epochs_evenly() -> None:
    assert ends(EXPLORE_THEN_EVOLVE, epochs=8) == [4, 8]
    assert ends(EXPLORE_THEN_EVOLVE, epochs=7) == [4, 7]
    three = [*EXPLORE_THEN_EVOLVE, {"scheduler": "none", "from": "top"}]
    assert ends(three, epochs=9) == [3, 6, 9]
    assert ends(three, epochs=4) == [2, 3, 4]


def test_a_phase_that_starts_anew_has_all_epochs_again() -> None:
    fresh = [{"scheduler": "none"}, {"scheduler": "asha"}, {"scheduler": "none", "from": "top"}, {"scheduler": "none"}]
    assert ends(fresh, epochs=6) == [6, 3, 6, 6]
    assert [phase.feeds_next for phase in phases(fresh)] == [False, True, False, False]


def test_epochs_that_are_given_are_taken() -> None:
    given = [{"scheduler": "asha", "epochs": 1}, {"scheduler": "none", "from": "top"}]
    assert ends(given, epochs=8) == [1, 8]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ({}, [16]),
        ({"budget": {"trials": 5}}, [5]),
        ({"budget": {"minutes": 3}}, [None]),
        ({"budget": {"cost": 3}}, [None]),
        ({"budget": {"gpu_hours": 3}}, [None]),
        ({"budget": {"target": 0.9}}, [16]),
        ({"budget": {"minutes": 3, "trials": 7}}, [7]),
        ({"scheduler": "one_epoch_top_k", "budget": {"minutes": 3}}, [16]),  # all must have come to be compared
        ({"scheduler": "pbt"}, [6]),
        ({"scheduler": "pb2", "population": 4}, [4]),
        ({"scheduler": "pbt", "budget": {"minutes": 3}}, [6]),
        ([{"scheduler": "asha"}, {"scheduler": "pbt", "from": "top"}], [16, 6]),
        # a phase that is not the last must come to an end by itself
        ({"phases": [{"scheduler": "asha"}, {"scheduler": "none"}], "budget": {"minutes": 3}}, [16, 16]),
        ({"phases": [{"scheduler": "asha", "trials": 3}, {"scheduler": "none"}], "budget": {"trials": 9}}, [3, 9]),
    ],
)
def test_the_number_of_trials(search: Any, expected: list[int | None]) -> None:
    assert sizes(search) == expected


def test_the_total_has_an_end_only_if_every_phase_has() -> None:
    assert total_trials(phases(EXPLORE_THEN_EVOLVE)) == 38
    assert total_trials(phases({"budget": {"minutes": 1}})) is None


def test_it_is_told_on_one_line() -> None:
    assert describe(phases(EXPLORE_THEN_EVOLVE)) == (
        "32 trials (asha), at most 4 epochs each, then 6 trials (pbt), at most 8 epochs each"
    )
    assert describe(phases({"budget": {"minutes": 3}})) == "trials until the budget ends (asha), at most 8 epochs each"
    assert describe(phases({"budget": {"trials": 1}}, 1)) == "1 trial (asha), at most 1 epoch each"


def test_epochs_that_follow_from_the_samples_are_not_told_before_these_are_known() -> None:
    assert describe(phases({"budget": {"minutes": 3}}), is_open=True) == "trials until the budget ends (asha)"
    assert describe(phases(EXPLORE_THEN_EVOLVE), is_open=True) == "32 trials (asha), then 6 trials (pbt)"
