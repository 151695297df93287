"""Few rows say little of a gain: what ensembles gain elsewhere then counts for more."""

import numpy as np
import pytest

from graft.learner.ensemble.worth import FEWEST_ROWS, SPREAD, USUAL, WORTH, chance_of_worth, expected_gain


def test_what_was_measured_exactly_is_what_counts() -> None:
    assert expected_gain(0.05, 0.0, 0.5) == pytest.approx(0.1)
    assert expected_gain(0.003, 1e-6, 0.5) == pytest.approx(0.006, abs=1e-4)


def test_what_says_nothing_leaves_what_is_usual() -> None:
    assert expected_gain(-1.0, 1e6, 0.5) == pytest.approx(USUAL)


def test_the_more_exact_of_both_counts_for_more() -> None:
    few, many = expected_gain(0.0, 0.05, 0.5), expected_gain(0.0, 0.005, 0.5)
    assert USUAL > few > WORTH > many > 0


def test_many_rows_that_show_no_gain_are_believed() -> None:
    assert expected_gain(-0.01, 0.003, 0.5) < WORTH


def test_a_model_that_is_never_wrong_cannot_gain() -> None:
    assert expected_gain(0.0, 0.0, 0.0) == 0


def test_the_chance_is_that_of_gains_as_they_differ_between_tasks() -> None:
    gains = np.random.default_rng(0).normal(USUAL, SPREAD, 20_000)
    kept = np.mean([expected_gain(gain, 1e-9, 1.0) >= WORTH for gain in gains])
    assert chance_of_worth(FEWEST_ROWS) == pytest.approx(kept, abs=0.005)
    measured = gains + np.random.default_rng(1).normal(0.0, 0.05, len(gains))
    assert np.mean([expected_gain(gain, 0.05, 1.0) >= WORTH for gain in measured]) > kept
    assert chance_of_worth(FEWEST_ROWS - 1) == 0
