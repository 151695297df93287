import numpy as np

from graft.meta.recommend.curves.moments import Level, Moments, learned, shipped

SHARES = np.array([0.25, 0.5, 0.75, 1.0])


def test_what_is_shipped_rises_and_is_a_covariance() -> None:
    told = shipped(SHARES, Level())
    assert list(told.mean) == sorted(told.mean)
    assert np.linalg.eigvalsh(told.covariance).min() > 0


def test_no_curves_change_nothing() -> None:
    before = shipped(SHARES, Level())
    nothing = np.full((3, 4), np.nan)
    assert learned(nothing, np.ones(3), before) is before
    assert learned(np.ones((3, 4)), np.zeros(3), before) is before


def test_many_curves_have_their_own_moments() -> None:
    rng = np.random.default_rng(0)
    truth = Moments(np.array([0.0, 1.0, 1.5, 1.6]), 0.3 * np.ones((4, 4)) + 0.1 * np.eye(4), 1.0)
    curves = rng.multivariate_normal(truth.mean, truth.covariance, 4000)
    found = learned(curves, np.ones(4000), shipped(SHARES, Level()))
    assert np.allclose(found.mean, truth.mean, atol=0.05)
    assert np.allclose(found.covariance, truth.covariance, atol=0.05)


def test_values_that_are_missing_for_what_was_seen_do_not_bend_the_mean() -> None:
    rng = np.random.default_rng(1)
    truth = Moments(np.array([0.0, 1.0, 1.5, 1.6]), 0.3 * np.ones((4, 4)) + 0.02 * np.eye(4), 1.0)
    curves = rng.multivariate_normal(truth.mean, truth.covariance, 4000)
    curves[curves[:, 0] < 0, 1:] = np.nan
    found = learned(curves, np.ones(4000), shipped(SHARES, Level()))
    assert np.allclose(found.mean, truth.mean, atol=0.1)
    assert np.nanmean(curves[:, 3]) > truth.mean[3] + 0.3


def test_what_is_seen_is_known_and_narrows_the_rest() -> None:
    before = shipped(SHARES, Level())
    widths = [np.diag(before.given(np.arange(seen), np.ones(seen)).covariance)[-1] for seen in range(4)]
    assert widths == sorted(widths, reverse=True)
    after = before.given(np.array([1]), np.array([0.3]))
    assert abs(after.mean[1] - 0.3) < 1e-3
    assert after.covariance[1, 1] < 1e-3


def test_where_curves_end_is_said_by_past_ones() -> None:
    ends = np.array([-9.0, -9.5, -8.5, -9.0])
    found = Level(deviation=20.0).learned(ends, np.ones(4))
    assert abs(found.mean + 9) < 0.3
    assert found.deviation < 4
    few = Level(deviation=20.0).learned(ends, np.full(4, 1e-3))
    assert few.deviation > 15
