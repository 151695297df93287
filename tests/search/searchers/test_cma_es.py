"""Covariance matrix adaptation is replayed from history, generation by generation."""

import math
import warnings

import numpy as np
import pytest

from graft.search.protocol import Observation
from graft.search.searchers.cma_es import CmaEsSearch
from graft.search.searchers.random import RandomSearch
from graft.spec.components.penalty import L2SP
from graft.spec.search.searchers import CmaEsSearcher, RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

LOSS = metric_named("loss")
SPACE = StrategySpace.parse(
    {
        "lr": {"loguniform": [1e-4, 1e-1]},
        "freeze": {"uniform": [0, 1]},
        "penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"uniform": [0.1, 1]}}]},
    }
)


def cma_es(space: StrategySpace = SPACE, start_up: int = 4, seed: int = 0) -> CmaEsSearch:
    return CmaEsSearch(CmaEsSearcher(start_up=start_up), space, LOSS, seed)


def loss_of(strategy: Strategy) -> float:
    return (math.log10(strategy.lr) + 2) ** 2 + (strategy.freeze - 0.8) ** 2


def searched(searcher: CmaEsSearch, count: int) -> tuple[Observation, ...]:
    history: tuple[Observation, ...] = ()
    for index in range(count):
        strategy = searcher.draw(index, history)
        history = (*history, Observation(strategy, {1: loss_of(strategy)}))
    return history


def test_it_closes_in_on_the_best_place() -> None:
    history = searched(cma_es(), 120)
    late = [one.strategy for one in history[-10:]]
    assert np.std([one.freeze for one in late]) < 0.05
    assert [one.freeze for one in late] == pytest.approx([0.8] * 10, abs=0.1)
    assert [math.log10(one.lr) for one in late] == pytest.approx([-2] * 10, abs=0.2)


def test_choices_and_what_is_inside_them_stay_random() -> None:
    late = [one.strategy.penalty for one in searched(cma_es(), 120)[-40:]]
    pulls = [one.strength for one in late if isinstance(one, L2SP)]
    assert 10 <= len(pulls) <= 30
    assert max(pulls) - min(pulls) > 0.5


def test_the_first_suggestions_lie_around_the_best_of_the_start() -> None:
    history = tuple(
        Observation(Strategy(lr=1e-2, freeze=share), {1: abs(share - 0.9)}) for share in (0.1, 0.3, 0.5, 0.9)
    )
    drawn = [cma_es().draw(index, history).freeze for index in range(4, 40)]
    assert np.mean(drawn) == pytest.approx(0.8, abs=0.1)
    assert np.std(drawn) < 0.2


def test_a_generation_is_told_when_it_is_whole_and_not_before() -> None:
    searcher = cma_es()
    history = searched(searcher, 4 + 6)
    unfinished = (*history[:-1], Observation(history[-1].strategy, {}))
    assert searcher.draw(10, history[:9]) == searcher.draw(10, history[:4]) == searcher.draw(10, unfinished)
    assert searcher.draw(10, history) != searcher.draw(10, history[:9])


def test_only_the_order_of_values_matters() -> None:
    history = searched(cma_es(), 40)
    warped = tuple(Observation(one.strategy, {1: one.values[1] ** 3 * 1e6 - 7}) for one in history)
    assert cma_es().draw(40, warped) == cma_es().draw(40, history)


def test_a_space_without_ranges_is_searched_at_random() -> None:
    space = StrategySpace.parse({"freeze": {"choice": [0.0, {"uniform": [0.1, 0.9]}]}})
    random = RandomSearch(RandomSearcher(), space, LOSS, seed=0)
    history = tuple(Observation(random.draw(index, ()), {1: 0.1 * index}) for index in range(20))
    assert cma_es(space).draw(20, history) == random.draw(20, ())


def test_a_search_that_has_converged_goes_on_at_random_for_good() -> None:
    space = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})
    random = RandomSearch(RandomSearcher(), space, LOSS, seed=0)
    same = tuple(Observation(Strategy(lr=0.01), {1: 0.5}) for _ in range(400))
    later = tuple(Observation(random.draw(index, ()), {1: 0.6}) for index in range(400, 420))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for history in (same, (*same, *later)):
            assert cma_es(space).draw(450, history) == random.draw(450, ())
