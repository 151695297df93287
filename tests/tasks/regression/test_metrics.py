import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sklearn_metrics

from graft.tasks.regression.metrics import METRIC_NAMES, per_target, score, weighted

FACTS = {"num_outputs": 2, "mean": [0.0, 0.0], "std": [2.0, 300.0]}


def numbers(seed, num, spread=1.0):
    rng = np.random.default_rng(seed)
    targets = np.round(rng.normal(5, [1, 200], (num, 2)), 1)  # rounded: with ties
    return targets + spread * rng.normal(0, [1, 200], (num, 2)), targets


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), num=st.integers(3, 60))
def test_metrics_are_those_of_scikit_learn_and_scipy(seed, num):
    predictions, targets = numbers(seed, num)
    found = score(predictions, targets, METRIC_NAMES, FACTS)
    ranked = [stats.spearmanr(a, b).statistic for a, b in zip(predictions.T, targets.T, strict=True)]
    squared = sklearn_metrics.mean_squared_error(targets, predictions, multioutput="raw_values")
    assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(targets, predictions))
    assert found["rmse"] == pytest.approx(np.sqrt(squared).mean())
    assert found["r2"] == pytest.approx(sklearn_metrics.r2_score(targets, predictions), rel=1e-6)
    assert found["spearman"] == pytest.approx(np.nan_to_num(np.mean(ranked)))
    assert found["loss"] == pytest.approx((squared / np.square(FACTS["std"])).mean())


def test_weights_are_those_of_scikit_learn():
    predictions, targets = numbers(0, 40)
    weights = np.random.default_rng(1).integers(0, 4, (10, 40)).astype(float)
    std = np.array(FACTS["std"])
    for name, oracle in [
        ("mae", sklearn_metrics.mean_absolute_error),
        ("r2", sklearn_metrics.r2_score),
        ("rmse", sklearn_metrics.root_mean_squared_error),
    ]:
        for row, found in zip(weights, weighted(name, predictions, targets, std, weights), strict=True):
            wanted = oracle(targets, predictions, sample_weight=row, multioutput="raw_values")
            np.testing.assert_allclose(found, wanted)


def test_a_metric_of_several_targets_is_the_mean_of_theirs():
    predictions, targets = numbers(2, 30)
    for name in METRIC_NAMES:
        whole = score(predictions, targets, [name], FACTS)[name]
        assert per_target(name, predictions, targets, np.array(FACTS["std"])).mean() == pytest.approx(whole)


def test_the_mean_explains_nothing_and_perfection_everything():
    _, targets = numbers(0, 30)
    nothing = score(np.tile(targets.mean(axis=0), (30, 1)), targets, METRIC_NAMES, FACTS)
    assert (nothing["r2"], nothing["spearman"]) == (pytest.approx(0), 0)
    assert score(targets, targets, METRIC_NAMES, FACTS) == {
        "mae": 0, "rmse": 0, "r2": 1, "spearman": pytest.approx(1), "loss": 0,
    }  # fmt: skip


def test_numbers_far_from_zero_keep_their_variance():
    predictions, targets = numbers(0, 50)
    near = score(predictions, targets, ["r2"], FACTS)["r2"]
    assert score(predictions + 1e9, targets + 1e9, ["r2"], FACTS)["r2"] == pytest.approx(near, abs=1e-4)
