"""The certificate keeps its promise, however often one looks."""

import numpy as np
import pytest

from graft.exploration.certificate import AccuracyTest, interval, log_e_value, lower_bound


def test_the_closed_formula_is_the_mean_of_the_wealth_of_all_bets() -> None:
    for right, total, required in ((9, 10, 0.8), (40, 50, 0.7), (0, 5, 0.5), (500, 520, 0.9)):
        p = np.linspace(required, 1, 200_001)[1:-1]
        wealth = right * np.log(p / required) + (total - right) * np.log((1 - p) / (1 - required))
        assert log_e_value(right, total, required) == pytest.approx(np.log(np.mean(np.exp(wealth))), abs=1e-3)


def test_models_at_the_requirement_are_certified_in_five_runs_of_a_hundred_at_most() -> None:
    rng, wrongly = np.random.default_rng(0), 0
    bounds = {n: _least_right(n, 0.8) for n in range(1, 301)}
    for _ in range(1000):
        right = np.cumsum(rng.random(300) < 0.8)
        wrongly += any(right[n - 1] >= least for n, least in bounds.items())
    assert wrongly / 1000 <= 0.05


def test_a_better_model_is_certified_and_the_price_is_that_of_the_gap() -> None:
    test = AccuracyTest(0.8, 0.05)
    prices = [test.expected(round(rate * 10), 10) or 0 for rate in (0.9, 1.0)]
    assert prices[0] > prices[1] > 0
    assert test.expected(16, 20) is None, "it is at the requirement"
    assert test.holds(300, 320)
    assert not test.holds(15, 15)


def test_the_interval_agrees_with_the_certificate() -> None:
    for right, total in ((95, 100), (80, 100), (3, 3), (0, 7)):
        low, high = interval(right, total, 0.05)
        assert 0 <= low <= right / total <= high <= 1
        for required in (0.5, 0.8, 0.9):
            assert AccuracyTest(required, 0.05).holds(right, total) == (lower_bound(right, total, 0.05) >= required)
    assert interval(0, 0, 0.05) == (0.0, 1.0)


def _least_right(total: int, required: float) -> float:
    test = AccuracyTest(required, 0.05)
    return next((right for right in range(int(required * total), total + 1) if test.holds(right, total)), np.inf)
