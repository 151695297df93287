import pytest

from graft.core.errors import SpecError
from graft.spec.strategy import Strategy
from graft.training.loop import train_epoch
from graft.training.steps.range_test import Sweep, judged, range_test, smoothed, sweep_factor


def swept(make_session, lr, start, **plan):
    strategy = Strategy(optimizer="sgd").model_copy(update={"lr": lr, "schedule": Sweep(start=start)})
    return make_session(strategy, **plan)


def test_rates_rise_by_the_same_factor():
    rates = [sweep_factor(Sweep(start=1e-4), step, 5) for step in range(6)]
    assert rates == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1, 1])
    assert sweep_factor(Sweep(start=0.5), 0, 1) == 0.5


def test_the_slope_is_looked_for_before_the_lowest_loss():
    found = judged([1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 8.0, 5.0, 4.0, 30.0], True)
    assert (found.steepest, found.lowest, found.diverged) == (2.0, 4.0, True)
    assert judged([1.0, 2.0], [1.0, 2.0], False).lowest == 1.0


def test_smoothing_has_no_pull_towards_zero():
    assert smoothed([3.0] * 4) == pytest.approx([3.0] * 4)


def test_it_says_which_rates_a_training_can_take(make_session, batches):
    session = swept(make_session, 1e4, 1e-8, epochs=30)
    found = range_test(session, lambda epoch: batches.epoch(3, epoch, None))
    assert found.diverged
    assert len(found.rates) == len(found.losses) < 90
    assert 1e-4 < found.steepest <= found.lowest < found.rates[-1]
    good = make_session(Strategy(optimizer="sgd", lr=found.steepest), epochs=1)
    assert train_epoch(good, batches.epoch(3, 1, None)) is None
    again = range_test(swept(make_session, 1e4, 1e-8, epochs=30), lambda epoch: batches.epoch(3, epoch, None))
    assert again == found


def test_a_test_that_says_nothing_is_told(make_session, batches):
    with pytest.raises(SpecError, match="begin at smaller rates"):
        range_test(swept(make_session, 1e30, 0.9, epochs=3), lambda epoch: batches.epoch(3, epoch, None))
    with pytest.raises(ValueError, match="must be a sweep"):
        range_test(make_session(), lambda epoch: batches.epoch(3, epoch, None))
