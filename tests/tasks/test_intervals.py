import numpy as np
import pytest

from graft.spec.metrics import MetricSpec
from graft.tasks.intervals import bootstrap, percentiles, resampled, wilson


def mean_of(values):
    return lambda weights: weights @ values / weights.sum(axis=1)


def test_it_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        found = bootstrap(mean_of(rng.normal(size=80)), 80, 0, "mean", 300)
        inside += found.low <= 0 <= found.high
    assert 0.88 <= inside / 200 <= 0.99


def test_the_name_and_the_seed_give_the_stream():
    values = np.random.default_rng(0).normal(size=30)
    first = bootstrap(mean_of(values), 30, 0, "a")
    assert bootstrap(mean_of(values), 30, 0, "a") == first
    assert bootstrap(mean_of(values), 30, 1, "a") != first
    assert bootstrap(mean_of(values), 30, 0, "b") != first


def test_large_data_has_fewer_resamples():
    asked = []

    def statistic(weights):
        asked.append(len(weights))
        assert (weights.sum(axis=1) == weights.shape[1]).all()
        return weights[:, 0]

    bootstrap(statistic, 1000, 0, "a", 400, most_cells=150_000)
    bootstrap(statistic, 1000, 0, "a", 400, most_cells=1)
    assert asked == [150, 50]


def test_resamples_without_a_value_do_not_count():
    found = percentiles(np.array([np.nan, 1.0, 3.0]))
    assert 1 <= found.low < found.high <= 3
    with pytest.raises(ValueError, match="no resample has a value"):
        percentiles(np.array([np.nan]))


ACCURACY = MetricSpec("accuracy", "max", is_share=True, lowest=0, highest=1)


def test_folds_that_agree_are_as_sure_as_their_rows():
    found = resampled([1.0] * 8, 0.25, ACCURACY, 6)
    assert (found.low, found.high, found.method) == (wilson(6, 6).low, 1.0, "folds")
    loss = resampled([1.0] * 8, 0.25, MetricSpec("loss", "min", lowest=0), 6)
    assert (loss.low, loss.high) == (1.0, 1.0), "of a mean of other numbers the rows say nothing"


def test_an_interval_of_folds_stays_where_the_metric_can_be():
    found = resampled([0.7, 0.9, 1.0, 1.0], 0.3, ACCURACY, 40)
    assert 0 < found.low < 0.9 < found.high == 1
