import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.meta.recommend.evaluation.points import points_factor
from graft.meta.recommend.evaluation.regret import at_random, of_order, of_ranking

NUMBERS = st.lists(st.integers(0, 9), min_size=1, max_size=5)


@given(NUMBERS, st.integers(1, 7))
def test_a_random_order_is_the_mean_over_all_orders(numbers: list[int], count: int) -> None:
    values = dict(enumerate(map(float, numbers)))
    orders = [of_order(values, order, count) for order in itertools.permutations(values)]
    assert at_random(values, count) == pytest.approx(sum(orders) / len(orders))


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([None, 0, 1])), min_size=1, max_size=5), st.integers(1, 6))
def test_equal_ranks_are_the_mean_over_their_orders(rows: list[tuple[int, int | None]], count: int) -> None:
    values = {place: float(value) for place, (value, _) in enumerate(rows)}
    ranks = {place: float(rank) for place, (_, rank) in enumerate(rows) if rank is not None}
    sorted_orders = [
        order
        for order in itertools.permutations(values)
        if all(ranks.get(one, -1) >= ranks.get(other, -1) for one, other in itertools.pairwise(order))
    ]
    regrets = [of_order(values, order, count) for order in sorted_orders]
    assert of_ranking(values, ranks, count) == pytest.approx(sum(regrets) / len(regrets))


@pytest.mark.parametrize(
    ("metric", "values", "factor"),
    [
        ("accuracy", [0.2, 0.9], 100),
        ("accuracy", [20.0, 90.0], 1),
        ("val_loss", [0.2, 0.9], 1),
        ("top1_error", [0.1, 0.3], 100),
        ("mae", [0.1, 0.3], 1),
        ("logloss", [0.1, 0.3], 1),
        ("testNRMSE", [0.1, 0.3], 1),
        ("r2", [-0.1, 0.3], 1),
        ("accuracy", [], 1),
    ],
)
def test_points_of_shares_are_hundredths(metric: str, values: list[float], factor: float) -> None:
    assert points_factor(metric, values) == factor
