"""BOHB learns from the longest training that enough trials have reached."""

import pytest

from graft.search.protocol import Observation
from graft.search.searchers.bohb import BohbSearch
from graft.search.searchers.random import RandomSearch
from graft.spec.search.searchers import BohbSearcher, RandomSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

LOSS = metric_named("loss")
SPACE = StrategySpace.parse({"freeze": {"uniform": [0, 1]}, "weight_decay": {"uniform": [0, 1]}})


def bohb(space: StrategySpace = SPACE, start_up: int = 1) -> BohbSearch:
    return BohbSearch(BohbSearcher(start_up=start_up), space, LOSS, seed=0)


def trials(count: int, freeze: float, epochs: int, loss: float) -> tuple[Observation, ...]:
    """Trials near to each other, each of another decay."""
    return tuple(
        Observation(Strategy(freeze=freeze + 0.001 * place, weight_decay=place / count), {epochs: loss + 0.001 * place})
        for place in range(count)
    )


def suggestions(searcher: BohbSearch, history: tuple[Observation, ...], count: int = 60) -> list[Strategy]:
    """The draws that are no random ones."""
    random = RandomSearch(RandomSearcher(), SPACE, LOSS, seed=0)
    drawn = [(searcher.draw(index, history), random.draw(index, ())) for index in range(count)]
    return [one for one, other in drawn if one != other]


@pytest.mark.parametrize(("start_up", "needed"), [(1, 4), (4, 4), (9, 9)])
def test_it_is_random_until_enough_trials_have_been_as_far_as_each_other(start_up: int, needed: int) -> None:
    known = trials(needed, 0.5, 1, 0.5)
    searcher = bohb(start_up=start_up)
    assert suggestions(searcher, known[:-1]) == []
    assert suggestions(searcher, known) != []


def test_inactive_dimensions_are_not_needed() -> None:
    options = [{"kind": kind, "strength": {"uniform": [0.1, 1]}} for kind in ("l1", "l2", "l2_sp")]
    space = StrategySpace.parse({"penalty": {"choice": options}})
    known = tuple(Observation(Strategy(penalty={"kind": "l2", "strength": 0.1 * n}), {1: 0.1 * n}) for n in range(1, 5))
    random = RandomSearch(RandomSearcher(), space, LOSS, seed=0)
    searcher = bohb(space)
    assert all(searcher.draw(index, known[:3]) == random.draw(index, ()) for index in range(12))
    assert any(searcher.draw(index, known) != random.draw(index, ()) for index in range(12))


def test_a_third_of_the_draws_stays_random() -> None:
    assert 0.55 < len(suggestions(bohb(), trials(12, 0.5, 1, 0.5), 300)) / 300 < 0.78


def test_it_learns_from_the_longest_length_of_enough_trials() -> None:
    short = trials(20, 0.1, 1, 0.0)
    good, bad = trials(4, 0.8, 4, 0.3), trials(8, 0.4, 4, 0.6)
    too_few = trials(3, 0.2, 9, 0.0)

    drawn = suggestions(bohb(), (*short, *good, *bad))
    assert sum(one.freeze > 0.6 for one in drawn) > 0.6 * len(drawn)
    # Three trials of nine epochs are too few for a length of their own, and stand beside those of four with what they
    # had until then, which is nothing.
    assert suggestions(bohb(), (*short, *good, *bad, *too_few)) != []


def test_what_came_after_the_length_does_not_count() -> None:
    known = trials(12, 0.5, 2, 0.5)
    longer = Observation(known[3].strategy, {**known[3].values, 3: -9.0})
    changed = (*known[:3], longer, *known[4:])
    assert suggestions(bohb(), known, 12) == suggestions(bohb(), changed, 12) != []
