"""The scores agree with what their papers define, computed the long way."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf as reference
from sklearn.linear_model import Ridge

from graft.search.screening.centroid import centroid
from graft.search.screening.decomposed import Decomposed
from graft.search.screening.hscore import hscore, ledoit_wolf
from graft.search.screening.logme import logme
from graft.search.screening.ridge import left_out_with, ridge
from graft.search.screening.targets import Targets

SHAPES = pytest.mark.parametrize(("rows", "width"), [(24, 6), (12, 30)])


def drawn(rows: int, width: int) -> tuple[np.ndarray, Targets]:
    rng = np.random.default_rng(rows)
    labels = np.arange(rows) % 3
    return rng.standard_normal((rows, width)) + 0.8 * rng.standard_normal((3, width))[labels], Targets.of_categories(
        labels
    )


@SHAPES
def test_logme_is_the_largest_evidence(rows: int, width: int) -> None:
    features, targets = drawn(rows, width)

    def evidence(logs: np.ndarray, wanted: np.ndarray) -> float:
        alpha, beta = np.exp(logs)
        covariance = features @ features.T / alpha + np.eye(rows) / beta
        return float(multivariate_normal(np.zeros(rows), covariance).logpdf(wanted)) / rows

    starts = ([0.0, 0.0], [3.0, 1.0])
    best = [
        max(-minimize(lambda at, one=one: -evidence(at, one), start, method="Nelder-Mead").fun for start in starts)
        for one in targets.columns.T
    ]
    assert logme(Decomposed(features), targets) == pytest.approx(np.mean(best), abs=1e-4)


@SHAPES
def test_hscore_is_the_trace_of_the_shrunk_inverse_times_the_spread_between(rows: int, width: int) -> None:
    features, targets = drawn(rows, width)
    centred = features - features.mean(axis=0)
    covariance, shrinkage = reference(centred, assume_centered=True)
    counts = targets.columns.sum(axis=0)
    means = (targets.columns.T @ centred / counts[:, None])[targets.columns.argmax(axis=1)]
    expected = np.trace(np.linalg.solve(covariance, means.T @ means / rows))

    sample = Decomposed(features)
    variances = sample.centred.squares / rows
    assert ledoit_wolf(variances, sample.centred.scores, width) == pytest.approx(shrinkage)
    assert hscore(sample, targets) == pytest.approx(expected)


@SHAPES
@pytest.mark.parametrize("penalty", [1e-4, 1.0, 100.0])
def test_ridge_leaves_each_row_out(rows: int, width: int, penalty: float) -> None:
    features, targets = drawn(rows, width)
    sample = Decomposed(features)
    told = left_out_with(sample, targets, penalty)
    strength = penalty * float(sample.centred.squares.mean())
    # The mean that the exact formula leaves out moves with the row; so does that of scikit-learn's.
    for row in range(rows):
        others = np.arange(rows) != row
        model = Ridge(alpha=strength).fit(features[others], targets.columns[others])
        assert told[row] == pytest.approx(model.predict(features[row : row + 1])[0], abs=1e-6)


@SHAPES
def test_centroid_leaves_each_row_out(rows: int, width: int) -> None:
    features, targets = drawn(rows, width)
    own = targets.columns.argmax(axis=1)
    right = 0
    for row in range(rows):
        others = np.arange(rows) != row
        means = np.stack([features[others & (own == one)].mean(axis=0) for one in range(3)])
        right += int(np.linalg.norm(means - features[row], axis=1).argmin() == own[row])
    assert centroid(Decomposed(features), targets) == pytest.approx(right / rows)


def test_r_squared_of_a_line_is_one_and_of_noise_is_not_positive_by_much() -> None:
    rng = np.random.default_rng(0)
    features = rng.standard_normal((50, 5))
    line = features @ np.arange(5.0)
    assert ridge(Decomposed(features), Targets.of_values(line)) == pytest.approx(1, abs=1e-3)
    assert ridge(Decomposed(features), Targets.of_values(rng.standard_normal(50))) < 0.1
