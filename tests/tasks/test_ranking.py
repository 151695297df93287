import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from graft.tasks.ranking import auroc, average_precision, ranks


def ranked(seed, num):
    rng = np.random.default_rng(seed)
    positive = rng.random(num) < 0.4
    positive[:2] = [True, False]
    return np.round(rng.random(num) + 0.3 * positive, 1), positive  # rounded: with ties


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), num=st.integers(2, 60))
def test_values_are_those_of_scikit_learn(seed, num):
    scores, positive = ranked(seed, num)
    assert auroc(scores, positive)[0] == pytest.approx(roc_auc_score(positive, scores))
    assert average_precision(scores, positive)[0] == pytest.approx(average_precision_score(positive, scores))
    np.testing.assert_allclose(ranks(scores), stats.rankdata(scores))


def test_weights_are_those_of_scikit_learn():
    scores, positive = ranked(3, 50)
    weights = np.random.default_rng(1).integers(0, 4, (20, 50))
    for row, area, precision in zip(
        weights, auroc(scores, positive, weights.T), average_precision(scores, positive, weights.T), strict=True
    ):
        assert area == pytest.approx(roc_auc_score(positive, scores, sample_weight=row))
        assert precision == pytest.approx(average_precision_score(positive, scores, sample_weight=row))


def test_without_positives_there_is_no_value():
    scores = np.array([0.1, 0.9])
    assert np.isnan(average_precision(scores, np.array([False, False]))).all()
    assert np.isnan(auroc(scores, np.array([True, True]))).all()
    weights = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert np.isnan(average_precision(scores, np.array([False, True]), weights)).tolist() == [True, False]
