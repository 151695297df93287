"""What an informed search does with what it is told; what every searcher keeps is in tests/contracts."""

import json
from collections.abc import Sequence

import pytest

from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import NO_PRIOR, Basis, Expected, Prior
from graft.search.protocol import Observation
from graft.search.searchers.build import build_searcher
from graft.search.searchers.equal_epochs import losses_at_equal_epochs
from graft.search.searchers.meta import MetaSearch
from graft.spec.search.searchers import MetaSearcher, RandomSearcher
from graft.spec.space.enumeration import strategies_in
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

RATES = [1e-4, 1e-3, 1e-2, 1e-1]
SPACE = StrategySpace.parse({"lr": {"choice": RATES}, "freeze": {"choice": [0.0, 0.5, 1.0]}})
ALL = list(strategies_in(SPACE))
ACCURACY = metric_named("accuracy")


def worth(strategy: Strategy) -> float:
    """Of 0 to 1; the larger rate and the deeper training are better."""
    return RATES.index(strategy.lr) / 3 * 0.6 + (1 - strategy.freeze) * 0.4


def prior(confidence: float = 1.0, sign: int = 1, costs: Sequence[float] = (1.0,) * 12) -> Prior:
    means = [sign * 2 * worth(one) - 2 for one in ALL]
    expected = tuple(
        Expected(candidate_of(one).strategy_json, mean, 0.3, cost, f"because {place}")
        for place, (one, mean, cost) in enumerate(zip(ALL, means, costs, strict=True))
    )
    order = sorted(range(len(ALL)), key=lambda place: -means[place])
    return Prior(expected, tuple(order[:5]), Basis.PRIOR, 7, confidence)


def searcher(told: Prior = NO_PRIOR, seed: int = 0, **fields: object) -> MetaSearch:
    found = build_searcher(MetaSearcher.model_validate(fields), SPACE, ACCURACY, seed)
    assert isinstance(found, MetaSearch)
    return found.informed(told)


def run(search: MetaSearch, draws: int, value: object = worth) -> list[Strategy]:
    seen: tuple[Observation, ...] = ()
    for index in range(draws):
        strategy = search.draw(index, seen)
        seen = (*seen, Observation(strategy, {1: value(strategy)}))  # type: ignore[operator]
    return [one.strategy for one in seen]


@pytest.mark.parametrize("told", [NO_PRIOR, prior(confidence=0.0), Prior((), (), Basis.PRIOR, 3, 1.0)])
def test_without_a_prior_it_is_random_search_draw_by_draw(told: Prior) -> None:
    plain = build_searcher(RandomSearcher(), SPACE, ACCURACY, 3)
    assert run(searcher(told, seed=3), 12) == [plain.draw(index, ()) for index in range(12)]


def test_the_portfolio_comes_first_and_every_fourth_draw_is_free() -> None:
    drawn, told = run(searcher(prior()), 6), prior()
    first = [Strategy.read_stored(json.loads(told.expected[place].strategy_json)) for place in told.portfolio]
    plain = build_searcher(RandomSearcher(), SPACE, ACCURACY, 0)
    assert drawn[:3] == first[:3]
    assert drawn[3] == plain.draw(3, ())
    assert searcher(prior(), free=1.0).draw(0, ()) == plain.draw(0, ())


def test_what_is_under_way_is_not_drawn_again() -> None:
    search, seen = searcher(prior(), free=0.0), tuple[Observation, ...]()
    for index in range(12):
        seen = (*seen, Observation(search.draw(index, seen), {}))
    assert len({one.strategy for one in seen}) == 12


def test_a_prior_that_is_turned_round_loses_its_say() -> None:
    told = prior(sign=-1)
    praised = [Strategy.read_stored(json.loads(told.expected[place].strategy_json)) for place in told.portfolio]
    drawn = run(searcher(told, seed=0), 9)
    assert drawn[:3] == praised[:3]
    assert not set(praised) & set(drawn[4:7]), "once a free draw has shown it, nothing of it is followed"
    assert max(drawn, key=worth) in sorted(ALL, key=worth)[-2:]


def test_what_has_returned_leads_where_the_prior_does_not() -> None:
    """Of twelve strategies random search needs six and a half draws to meet the best one."""
    found = [run(searcher(prior(sign=-1), seed=seed), 12).index(max(ALL, key=worth)) + 1 for seed in range(12)]
    assert sum(found) / len(found) < 6.5


def test_a_prior_that_comes_true_is_followed_to_the_best() -> None:
    best = max(ALL, key=worth)
    assert run(searcher(prior()), 1) == [best]


def test_cheap_strategies_are_preferred_among_equals() -> None:
    flat = Prior(
        tuple(Expected(candidate_of(one).strategy_json, -0.5, 0.3, 5.0 if one.freeze == 0 else 0.2) for one in ALL),
        (),
        Basis.PRIOR,
        7,
        1.0,
    )
    assert searcher(flat).draw(0, ()).freeze > 0


def test_it_is_told_again_as_it_was() -> None:
    told = prior()
    again = Prior.from_dict(json.loads(json.dumps(told.to_dict())))
    assert again == told
    assert told.reason_of(told.expected[2].strategy_json) == "because 2"
    assert told.reason_of("{}") == ""


def test_trials_are_compared_at_their_own_age() -> None:
    young, old, stopped, solved = ALL[0], ALL[1], ALL[2], Strategy(head="ridge", freeze=1.0)
    history = [
        Observation(young, {1: 0.6}),
        Observation(old, {1: 0.5, 2: 0.7, 3: 0.8}),
        Observation(stopped, {1: 0.3}),
        Observation(ALL[3], {}),
        Observation(ALL[4], {1: 0.9}, failed=True),
        Observation(solved, {1: 0.75}),
    ]
    found = losses_at_equal_epochs(history, ACCURACY)
    assert set(found) == {0, 1, 2, 4, 5}
    assert found[0] == found[1] == 0
    assert found[2] < -1
    assert found[4] == -3
    assert -3 <= found[5] < 0
