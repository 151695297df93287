"""Predicted learning curves, on curves that are made up."""

import math

import numpy as np
import pytest

from graft.meta.recommend.curves.forecast import MOST_PLACES, CurveForecast, Forecaster, PastCurve, past_curves
from graft.meta.recommend.outcomes import Candidate, Outcome, TaskOutcomes
from graft.spec.metrics import MetricSpec
from graft.spec.tasks.lookup import metric_named

ACCURACY, LOSS = metric_named("accuracy"), metric_named("loss")
CANDIDATES = [Candidate("b", f'{{"lr": {lr}}}') for lr in (1e-4, 1e-3, 1e-2)]
SLOW, USUAL, FAST = CANDIDATES
EPOCHS = 8
RISE = {SLOW: 1.0, USUAL: 0.5, FAST: 0.2}


def drawn(task: str, rng: np.random.Generator, metric: MetricSpec = ACCURACY) -> list[PastCurve]:
    """A curve of each strategy: a power law on the logit, each strategy with a rise of its own."""
    level = rng.normal(1.5, 0.7)
    found = []
    for one in CANDIDATES:
        end, rise = level + rng.normal(0, 0.3), RISE[one] + rng.normal(0, 0.1)
        places = end + rise * np.log(np.arange(1, EPOCHS + 1) / EPOCHS) + rng.normal(0, 0.1, EPOCHS)
        values = 1 / (1 + np.exp(-places)) if metric.mode == "max" else np.exp(-places)
        found.append(PastCurve(task, one, EPOCHS, dict(enumerate(map(float, values), start=1))))
    return found


def many(count: int, metric: MetricSpec = ACCURACY, seed: int = 0) -> list[PastCurve]:
    rng = np.random.default_rng(seed)
    return [one for task in range(count) for one in drawn(f"t{task}", rng, metric)]


def first(curve: PastCurve, seen: int) -> dict[int, float]:
    return {epoch: value for epoch, value in curve.values.items() if epoch <= seen}


def told(past: list[PastCurve], curve: PastCurve, seen: int, metric: MetricSpec = ACCURACY) -> CurveForecast:
    return Forecaster(past, lambda task: 0.8, metric).forecast(curve.candidate, curve.epochs, first(curve, seen))


@pytest.mark.parametrize("metric", [ACCURACY, LOSS], ids=["max", "min"])
@pytest.mark.parametrize("seen", [0, 1, 3, 6])
def test_four_in_five_ends_lie_in_the_interval(metric: MetricSpec, seen: int) -> None:
    teller = Forecaster(many(20, metric), lambda task: 0.8, metric)
    inside = []
    for curve in many(100, metric, seed=1):
        found = teller.forecast(curve.candidate, EPOCHS, first(curve, seen))
        inside.append(found.low[-1] <= curve.values[EPOCHS] <= found.high[-1])
    assert 0.72 <= np.mean(inside) <= 0.93


def test_the_nearer_the_end_the_narrower_and_the_further_ahead_the_wider() -> None:
    past, curve = many(20), many(1, seed=7)[1]
    found = [told(past, curve, seen) for seen in range(EPOCHS)]
    widths = [one.scale.of(one.high)[-1] - one.scale.of(one.low)[-1] for one in found]
    assert widths == sorted(widths, reverse=True)
    ahead = found[3].scale.of(found[3].high) - found[3].scale.of(found[3].low)
    assert np.allclose(ahead[:3], 0)
    assert list(ahead[3:]) == sorted(ahead[3:])


def test_what_was_seen_is_told_as_it_was() -> None:
    curve = many(1, seed=3)[0]
    found = told(many(5), curve, 4)
    assert found.epochs == tuple(range(1, EPOCHS + 1))
    assert np.allclose(found.expected[:4], [curve.values[epoch] for epoch in (1, 2, 3, 4)], atol=1e-6)


def test_a_strategy_is_foreseen_by_those_that_are_like_it() -> None:
    teller = Forecaster(many(20), lambda task: 0.8, ACCURACY)
    slow, fast = (teller.forecast(one, EPOCHS, {1: 0.5}).expected[-1] for one in (SLOW, FAST))
    assert slow > fast + 0.01


def test_tasks_that_are_alike_say_more() -> None:
    rng = np.random.default_rng(2)
    flat = [PastCurve(one.task, one.candidate, EPOCHS, dict.fromkeys(one.values, 0.5)) for one in drawn("flat", rng)]
    steep = drawn("steep", rng)
    past = [*flat * 4, *steep * 4]
    ends = [
        Forecaster(past, lambda task, liked=liked: float(task == liked), ACCURACY)
        .forecast(SLOW, EPOCHS, {1: 0.4})
        .expected[-1]
        for liked in ("flat", "steep")
    ]
    assert ends[1] > ends[0] + 0.05


def test_an_empty_memory_expects_what_is_shipped_and_says_how_little_that_is() -> None:
    teller = Forecaster([], lambda task: 1.0, ACCURACY)
    assert not teller.knows(EPOCHS)
    nothing, some = teller.forecast(USUAL, EPOCHS, {}), teller.forecast(USUAL, EPOCHS, {1: 0.6, 2: 0.65})
    assert nothing.high[-1] - nothing.low[-1] > 0.5
    assert some.low[-1] < some.expected[-1] < some.high[-1]
    assert some.expected[-1] > 0.65


def test_a_memory_of_unlike_tasks_says_little() -> None:
    """Curves that all fall, of tasks that have nothing in common with this one."""
    falling = [
        PastCurve("other", one, EPOCHS, {epoch: 0.9 - 0.05 * epoch for epoch in range(1, EPOCHS + 1)})
        for one in CANDIDATES
    ]
    plain = Forecaster([], lambda task: 0.0, ACCURACY).forecast(USUAL, EPOCHS, {1: 0.6})
    unlike = Forecaster(falling, lambda task: 0.0, ACCURACY).forecast(USUAL, EPOCHS, {1: 0.6})
    alike = Forecaster(falling, lambda task: 1.0, ACCURACY).forecast(USUAL, EPOCHS, {1: 0.6})
    moved = [plain.expected[-1] - one.expected[-1] for one in (unlike, alike)]
    assert moved[0] < moved[1] / 3


def test_values_that_are_not_finite_and_curves_that_broke_off_do_no_harm() -> None:
    past = many(6)
    broken = [
        PastCurve("b", SLOW, EPOCHS, {1: math.nan, 2: math.inf}),
        PastCurve("b", FAST, EPOCHS, {1: 0.5}),
        PastCurve("b", USUAL, EPOCHS, {}),
    ]
    found = Forecaster([*past, *broken], lambda task: 1.0, ACCURACY).forecast(SLOW, EPOCHS, {1: math.nan, 2: 0.5})
    assert np.isfinite([found.expected, found.low, found.high]).all()
    assert (found.low <= found.high).all()


def test_curves_that_were_stopped_teach_as_those_that_went_on() -> None:
    """What stopped was poor; that must not make those that go on look as if all did well."""
    past = many(40)
    stopped = [
        PastCurve(one.task, one.candidate, EPOCHS, first(one, 2) if one.values[2] < 0.7 else one.values) for one in past
    ]
    whole, cut = (Forecaster(of, lambda task: 1.0, ACCURACY).forecast(USUAL, EPOCHS, {}) for of in (past, stopped))
    assert cut.expected[-1] == pytest.approx(whole.expected[-1], abs=0.03)


def test_a_metric_that_is_to_be_small_is_foreseen_from_the_other_side() -> None:
    past, curve = many(10, LOSS), many(1, LOSS, seed=4)[0]
    found = told(past, curve, 2, LOSS)
    assert found.low[-1] < found.expected[-1] < found.high[-1]
    assert found.expected[-1] < curve.values[2]


def test_what_is_trained_once_is_compared_with_its_like() -> None:
    solved = [PastCurve(f"t{task}", USUAL, 1, {1: 0.7 + 0.01 * task}) for task in range(8)]
    teller = Forecaster([*many(8), *solved], lambda task: 1.0, ACCURACY)
    found = teller.forecast(USUAL, 1, {})
    assert found.epochs == (1,)
    assert found.low[0] < 0.735 < found.high[0]
    assert not Forecaster(many(3), lambda task: 1.0, ACCURACY).knows(1)


def test_long_trainings_are_looked_at_in_places() -> None:
    found = Forecaster([], lambda task: 1.0, ACCURACY).forecast(USUAL, 300, {17: 0.5})
    assert len(found.epochs) <= MOST_PLACES + 1
    assert {1, 17, 300} <= set(found.epochs)


def test_a_metric_without_a_best_value_is_refused() -> None:
    with pytest.raises(ValueError, match="likes has no best value"):
        Forecaster([], lambda task: 1.0, MetricSpec("likes", "max")).forecast(USUAL, 3, {})


def test_curves_of_outcomes_keep_the_metric_as_it_is() -> None:
    outcome = Outcome(-0.2, curve=((1, 3, -0.5), (2, 3, -0.2)))
    tasks = [
        TaskOutcomes("t", "loss", True, {USUAL: outcome, FAST: Outcome(-1.0)}),
        TaskOutcomes("o", "accuracy", False, {USUAL: Outcome(0.5, curve=((1, 3, 0.5),))}),
    ]
    assert past_curves(tasks, "loss") == [PastCurve("t", USUAL, 3, {1: 0.5, 2: 0.2})]
