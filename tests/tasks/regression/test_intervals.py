import numpy as np
import pytest

from graft.tasks.regression.intervals import interval, prediction_interval
from graft.tasks.regression.metrics import METRIC_NAMES, score

FACTS = {"num_outputs": 1, "mean": [0.0], "std": [1.0]}


def numbers(num, seed=0):
    rng = np.random.default_rng(seed)
    targets = rng.normal(size=(num, 1))
    return targets + 0.7 * rng.normal(size=(num, 1)), targets


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_the_score_lies_inside_and_more_samples_are_surer(name):
    widths = []
    for num in (100, 2000):
        predictions, targets = numbers(num)
        found = interval(name, predictions, targets, FACTS)
        assert found.low < score(predictions, targets, [name], FACTS)[name] < found.high
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("name", ["r2", "spearman", "rmse"])
def test_weights_stand_for_resampled_rows(name):
    predictions, targets = numbers(60)
    fast = interval(name, predictions, targets, FACTS)
    rng = np.random.default_rng(9)
    rows = (rng.integers(60, size=60) for _ in range(1500))
    slow = [score(predictions[row], targets[row], [name], FACTS)[name] for row in rows]
    assert (fast.low, fast.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.05)


def test_what_is_not_finite_has_no_interval():
    predictions, targets = numbers(5)
    predictions[0] = np.inf
    with pytest.raises(ValueError, match="must be finite to have an interval"):
        interval("mae", predictions, targets, FACTS)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_a_prediction_interval_holds_what_it_promises(coverage):
    rng = np.random.default_rng(1)
    held = []
    for _ in range(300):
        residuals = rng.exponential(size=(60, 1))  # crooked: the interval is not symmetric
        found = prediction_interval(np.zeros((50, 1)), residuals[:50], coverage)
        held.append(np.mean((residuals[50:] >= found["low"]) & (residuals[50:] <= found["high"])))
    assert coverage - 0.02 <= np.mean(held) <= coverage + 0.06
    assert found["is_wide_enough"]


def test_it_is_of_each_target_and_says_when_there_are_too_few_rows():
    predictions, targets = np.zeros((5, 2)), np.array([[1, 10], [2, 20], [3, 30], [4, 40], [5, 50]], dtype=float)
    found = prediction_interval(predictions, targets, 0.95)
    assert (found["low"], found["high"], found["is_wide_enough"]) == ([1, 10], [5, 50], False)
    assert prediction_interval(np.zeros((39, 1)), np.arange(39.0)[:, None], 0.95)["is_wide_enough"]
