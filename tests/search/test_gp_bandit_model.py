import warnings

import numpy as np
import pytest

from graft.search.gp_bandit_model import GainModel, TimeVarying

RNG = np.random.default_rng(0)
POINTS = np.column_stack([np.repeat(np.arange(1, 7), 4), RNG.random(24)])


def test_the_kernel_is_the_product_over_hyperparameters_and_time() -> None:
    rows = np.array([[1.0, 0.2, 0.0], [3.0, 0.2, 0.5]])

    covariance = TimeVarying(length=0.5, forgetting=0.2)(rows)

    assert np.diag(covariance) == pytest.approx(1)
    assert covariance[0, 1] == pytest.approx(np.exp(-0.25 / (2 * 0.25)) * 0.8 ** (2 / 2))


def test_the_gradient_of_the_kernel_is_that_of_finite_differences() -> None:
    kernel = TimeVarying(length=0.4, forgetting=0.2)
    _, gradient = kernel(POINTS, eval_gradient=True)

    for place in range(2):
        step = np.zeros(2)
        step[place] = 1e-6
        change = kernel.clone_with_theta(kernel.theta + step)(POINTS) - kernel.clone_with_theta(kernel.theta - step)(
            POINTS
        )
        assert gradient[:, :, place] == pytest.approx(change / 2e-6, abs=1e-6)


def test_the_best_point_is_where_gains_were_highest() -> None:
    model = GainModel.of(POINTS, -((POINTS[:, 1] - 0.3) ** 2))

    assert model.best(7, np.random.default_rng(0))[0] == pytest.approx(0.3, abs=0.1)


def test_the_best_point_moves_with_time() -> None:
    """The optimum drifts from 0 to 1; what was good long ago counts for little."""
    gains = -((POINTS[:, 1] - POINTS[:, 0] / 6) ** 2)

    assert GainModel.of(POINTS, gains).best(7, np.random.default_rng(0))[0] > 0.8


def test_points_ahead_lower_the_deviation_there_and_leave_the_mean() -> None:
    model = GainModel.of(POINTS[:8], POINTS[:8, 1])
    ahead = np.array([[3.0, 0.9]])

    surer = model.given(ahead)

    assert surer.deviation(ahead) < model.deviation(ahead)
    assert surer.expected.predict(ahead) == model.expected.predict(ahead)
    assert model.given(np.empty((0, 2))) is model


def test_the_noise_of_observing_is_no_reason_to_look_again() -> None:
    """What was observed 24 times is known well, however much the observations scatter."""
    same = np.tile([1.0, 0.5], (24, 1))

    model = GainModel.of(same, np.random.default_rng(0).standard_normal(24))

    assert model.noise > 0.5
    assert model.deviation(same[:1])[0] < 0.3


def test_the_weight_of_the_deviation_grows_with_what_is_known() -> None:
    assert GainModel.of(POINTS[:2], POINTS[:2, 1]).beta == pytest.approx(0.2)
    assert GainModel.of(POINTS, POINTS[:, 1]).beta == pytest.approx(0.2 + np.log(0.4 * 24))


@pytest.mark.parametrize("gains", [np.zeros(24), np.where(np.arange(24) == 3, -1e9, POINTS[:, 1])])
def test_gains_that_say_little_or_too_much_are_fitted_without_a_warning(gains: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = GainModel.of(POINTS, gains)

    assert 0 <= model.best(7, np.random.default_rng(0))[0] <= 1
