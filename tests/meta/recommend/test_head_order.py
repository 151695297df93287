"""Solved heads come in the order in which they are expected to pay, and each of them comes."""

import numpy as np
import pytest

from graft.meta.recommend.head_order import First, Work, in_recommended_order, order_of_heads
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import NO_PRIOR, Expected, Prior
from graft.spec.strategy import Strategy

SURE = np.ones(1)
SMALL = [Work("small", 4, 0.1, True), Work("small", 4, 0.5, False)]
LARGE = [Work("large", 16, 0.1, True), Work("large", 16, 0.5, False)]


def ordered(values: list[float], first: list[Work | None], slots: int = 1) -> tuple[int, ...]:
    return order_of_heads(first, np.array([values]), SURE, slots)


def test_the_next_head_is_the_one_that_gains_most_in_its_seconds() -> None:
    poorest = Work("dear", 100, 0.1, True)
    assert ordered([0.5, 0.6, 0.7, 0.8, 0.0], [*SMALL, *LARGE, poorest]) == (0, 1, 2, 3, 4)
    assert ordered([0.0, 0.01, 0.7, 0.9], [*SMALL, *LARGE]) == (2, 3, 0, 1)


def test_a_head_whose_own_pass_gives_less_than_all_features_does_not_come_first() -> None:
    assert ordered([0.1, 0.9], SMALL[::-1]) == (1, 0)


def test_two_processes_do_not_wait_for_one_pass() -> None:
    both = [*SMALL, *LARGE]
    assert ordered([0.0, 0.01, 0.7, 0.9], both, slots=2) == (2, 0, 1, 3)


def test_a_training_keeps_its_place_and_its_slot() -> None:
    both = [SMALL[0], LARGE[0], None, SMALL[1], LARGE[1]]
    assert ordered([0.5, 0.7, 0.6, 0.9], both, slots=2) == (1, 0, 3, 2)
    assert ordered([0.5, 0.7, 0.6, 0.9], [None, *SMALL, *LARGE], slots=1) == (2, 3, 0, 1)


@pytest.mark.parametrize("slots", [1, 2, 5])
@pytest.mark.parametrize("worth", [float("-inf"), -1.0, 0.0])
def test_every_head_comes_whatever_is_expected(slots: int, worth: float) -> None:
    values = np.full((3, 4), worth) if worth > -2 else np.full((3, 4), -1e300)
    found = order_of_heads([*SMALL, None, *LARGE], values, np.full(3, 1 / 3), slots)
    assert sorted(found) == [0, 1, 2, 3]
    assert order_of_heads([None], np.zeros((1, 0)), SURE, slots) == ()


def test_a_prior_orders_heads_that_it_knows_and_nothing_else() -> None:
    heads = [Strategy.model_validate({"freeze": 1.0, "head": "ridge", "resolution": side}) for side in (32, 64, 96)]
    training = Strategy(lr=1e-3)
    told = [Expected(candidate_of(one).strategy_json, 0.0, 1.0) for one in (heads[2], heads[0])]
    prior = Prior(heads=(*told, Expected("{}", 0.0, 1.0)))
    first = (heads[0], training, heads[1], heads[2])
    assert in_recommended_order(first, prior) == (heads[2], training, heads[1], heads[0])
    assert in_recommended_order(first, NO_PRIOR) == first
    assert Prior.from_dict(prior.to_dict()) == prior
    assert Prior.from_dict({name: value for name, value in prior.to_dict().items() if name != "heads"}).heads == ()
    assert First().strategies == ()
