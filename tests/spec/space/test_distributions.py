import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.spec.space.distributions import Choice, LogUniform, RandInt, Uniform, name_of, range_from

RNG_SEEDS = st.integers(0, 2**32)


@given(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9), RNG_SEEDS)
def test_uniform_stays_within_its_bounds(low: float, width: float, seed: int) -> None:
    high = low + width
    assert low <= Uniform(low, high).sample(random.Random(seed)) <= high


@given(st.floats(1e-12, 1e6), st.floats(1.001, 1e6), RNG_SEEDS)
def test_loguniform_stays_within_its_bounds(low: float, ratio: float, seed: int) -> None:
    assert low <= LogUniform(low, low * ratio).sample(random.Random(seed)) <= low * ratio


def test_loguniform_is_even_over_orders_of_magnitude() -> None:
    rng = random.Random(0)
    draws = [math.log10(LogUniform(1e-4, 1e0).sample(rng)) for _ in range(4000)]

    assert sum(draws) / len(draws) == pytest.approx(-2, abs=0.1)
    assert sum(draw < -3 for draw in draws) / len(draws) == pytest.approx(0.25, abs=0.03)


def test_randint_draws_both_of_its_bounds() -> None:
    rng = random.Random(0)
    assert {RandInt(3, 5).sample(rng) for _ in range(100)} == {3, 4, 5}


def test_choice_draws_every_option_alike() -> None:
    rng = random.Random(0)
    draws = [Choice(("a", "b", "c")).sample(rng) for _ in range(3000)]

    assert all(draws.count(option) / 3000 == pytest.approx(1 / 3, abs=0.03) for option in "abc")


@pytest.mark.parametrize(
    "distribution", [Choice((1, 2)), Uniform(0, 1), LogUniform(1e-3, 1), RandInt(0, 9)], ids=lambda one: name_of(one)
)
def test_the_same_seed_draws_the_same(distribution: Choice | Uniform | LogUniform | RandInt) -> None:
    one, other = random.Random(7), random.Random(7)
    assert [distribution.sample(one) for _ in range(9)] == [distribution.sample(other) for _ in range(9)]


def test_a_share_of_the_way_is_the_value_below_which_as_many_draws_lie() -> None:
    assert [Uniform(2, 4).at(u) for u in (0, 0.25, 1)] == [2, 2.5, 4]
    assert [LogUniform(1e-4, 1).at(u) for u in (0, 0.25, 1)] == pytest.approx([1e-4, 1e-3, 1])
    assert [RandInt(3, 5).at(u) for u in (0, 0.33, 0.34, 0.99, 1)] == [3, 3, 4, 5, 5]
    assert [Choice(("a", "b")).at(u) for u in (0, 0.49, 0.5, 1)] == ["a", "a", "b", "b"]


@given(st.floats(1e-9, 1e9), st.floats(1.001, 1e6), st.floats(0, 1))
def test_the_position_of_a_number_leads_back_to_it(low: float, ratio: float, u: float) -> None:
    for kind in (Uniform, LogUniform):
        distribution = kind(low, low * ratio)
        assert distribution.position(distribution.at(u)) == pytest.approx(u, abs=1e-6)


@given(st.integers(-1000, 1000), st.integers(1, 50))
def test_the_position_of_a_whole_number_leads_back_to_it(low: int, width: int) -> None:
    distribution = RandInt(low, low + width)
    for value in range(low, low + width + 1):
        assert distribution.at(distribution.position(value)) == value


@pytest.mark.parametrize("distribution", [Uniform(1, 2), LogUniform(1, 2), RandInt(1, 2)], ids=lambda one: name_of(one))
def test_a_number_outside_has_the_position_of_the_bound(distribution: Uniform | LogUniform | RandInt) -> None:
    assert distribution.position(-5) == distribution.position(1)
    assert distribution.position(9) == distribution.position(2)


def test_bounds_that_only_logarithms_cannot_tell_apart_have_one_position() -> None:
    low = 1e300
    assert LogUniform(low, math.nextafter(low, math.inf)).position(low) == 0


@given(RNG_SEEDS)
def test_a_seed_draws_what_it_has_always_drawn(seed: int) -> None:
    log_low, log_high = math.log(1e-3), math.log(10)
    assert Uniform(0.1, 1.1).sample(random.Random(seed)) == random.Random(seed).uniform(0.1, 1.1)
    assert LogUniform(1e-3, 10).sample(random.Random(seed)) == math.exp(random.Random(seed).uniform(log_low, log_high))


@pytest.mark.parametrize(
    ("name", "expected"), [("uniform", Uniform(1, 2)), ("loguniform", LogUniform(1, 2)), ("randint", RandInt(1, 2))]
)
def test_a_range_is_read_by_its_name(name: str, expected: Uniform | LogUniform | RandInt) -> None:
    found = range_from(name, [1, 2])

    assert found == expected
    assert name_of(found) == name
    assert found.bounds() == (1, 2)


@pytest.mark.parametrize(
    ("name", "bounds", "told"),
    [
        ("uniform", [1], "two numbers"),
        ("uniform", [1, 2, 3], "two numbers"),
        ("uniform", "1, 2", "two numbers"),
        ("uniform", [1, "2"], "two numbers"),
        ("uniform", [True, 2], "two numbers"),
        ("uniform", [0, math.inf], "two numbers"),
        ("uniform", [math.nan, 1], "two numbers"),
        ("uniform", [0, 10**400], "two numbers"),
        ("uniform", [2, 1], "from 2 to 1"),
        ("uniform", [1, 1], "must come first and be smaller"),
        ("loguniform", [0, 1], "above 0"),
        ("loguniform", [-1, 1], "above 0"),
        ("randint", [1, 2.5], "whole numbers"),
        ("randint", [5, 1], "from 5 to 1"),
    ],
)
def test_bounds_that_are_none(name: str, bounds: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        range_from(name, bounds)
