from graft.search.protocol import Observation
from graft.search.searchers.random import RandomSearch
from graft.spec.search.searchers import RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named

SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}, "freeze": {"choice": [0.0, 1.0]}})


def test_the_draws_are_spread_as_the_distributions_say() -> None:
    searcher = RandomSearch(RandomSearcher(), SPACE, metric_named("accuracy"), seed=3)
    drawn = [searcher.draw(index, ()) for index in range(2000)]

    assert 0.45 < sum(one.freeze for one in drawn) / 2000 < 0.55
    assert 0.29 < sum(one.lr < 1e-3 for one in drawn) / 2000 < 0.38


def test_history_changes_nothing() -> None:
    searcher = RandomSearch(RandomSearcher(), SPACE, metric_named("accuracy"), seed=3)
    known = tuple(Observation(searcher.draw(index, ()), {1: 0.5}) for index in range(30))

    assert searcher.draw(30, known) == searcher.draw(30, ())
