import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

SPACE = StrategySpace.parse(
    {
        "backbone": {"choice": ["efficientnet_lite0", "efficientnet_lite1"]},
        "structure": {"keep": {"choice": [1.0, 0.5, 0.25]}, "skip": {"choice": ["none", "spread"]}},
        "freeze": {"uniform": [0.0, 1.0]},
        "lr": {"loguniform": [1e-4, 1e-2]},
        "penalty": {"choice": ["none", {"kind": "l2", "strength": {"loguniform": [1e-5, 1e-1]}}, "l2_sp"]},
        "head": {"choice": ["linear", {"kind": "mlp", "width": {"randint": [8, 64]}, "depth": {"choice": [1, 2, 4]}}]},
    }
)
drawn = st.integers(0, 10**6).map(lambda seed: SPACE.sample(random.Random(seed)))


@given(drawn, drawn, drawn)
def test_it_is_a_metric_between_0_and_1(one: Strategy, other: Strategy, third: Strategy) -> None:
    assert SPACE.distance(one, one) == 0
    assert 0 <= SPACE.distance(one, other) <= 1
    assert SPACE.distance(one, other) == SPACE.distance(other, one)
    assert SPACE.distance(one, third) <= SPACE.distance(one, other) + SPACE.distance(other, third) + 1e-12


@given(drawn, drawn)
def test_only_what_lies_at_one_place_is_at_no_distance(one: Strategy, other: Strategy) -> None:
    assert (SPACE.distance(one, other) == 0) == (SPACE.coordinates(one) == SPACE.coordinates(other))


def at(**fields: object) -> Strategy:
    usual = {"freeze": 0.0, "lr": 1e-3, "penalty": "none", "head": "linear", "backbone": "efficientnet_lite0"}
    return Strategy.model_validate({**usual, **fields})


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ({}, {}, 0.0),
        ({"lr": 1e-4}, {"lr": 1e-3}, 0.5),  # one of two orders of magnitude
        ({"freeze": 0.25}, {"freeze": 0.5}, 0.25),
        ({"penalty": "l2"}, {"penalty": "l2_sp"}, 1.0),
        ({"penalty": "none"}, {"penalty": "l2_sp"}, 1.0),
        ({"penalty": {"kind": "l2", "strength": 1e-5}}, {"penalty": {"kind": "l2", "strength": 1e-3}}, 0.5),
        ({"structure": {"keep": 0.25}}, {"structure": {"keep": 0.5}}, 0.25),  # neighbours of three; one of two fields
        ({"head": {"kind": "mlp", "width": 8}}, {"head": {"kind": "mlp", "width": 8, "depth": 4}}, 0.5),
    ],
)
def test_a_field_counts_by_its_scale(one: dict[str, object], other: dict[str, object], share: float) -> None:
    assert SPACE.distance(at(**one), at(**other)) == pytest.approx(share / 6)


def test_a_canonical_form_is_where_the_strategy_was_drawn() -> None:
    strategy = at(structure={"keep": 0.5}, freeze=1.0)
    assert SPACE.distance(strategy, strategy.canonical(17)) == 0


def test_nothing_is_apart_where_nothing_varies() -> None:
    space = StrategySpace.parse({"lr": 1e-3})
    assert space.distance(at(lr=1e-3), at(lr=1e-2)) == 0
