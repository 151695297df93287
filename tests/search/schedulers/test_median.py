"""The median stopping rule: as Ray Tune decides, with a reason."""

import math
import random
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.search.protocol import GoOn, Report, Stop
from graft.search.schedulers.median import MedianStopping
from graft.spec.search.schedulers import Median


@settings(max_examples=100)
@given(
    seed=st.integers(0, 2**32),
    epochs=st.integers(2, 12),
    grace=st.integers(1, 5),
    least=st.integers(1, 4),
    metric=st.sampled_from(["accuracy", "loss"]),
)
def test_decides_as_ray_does(context, seed, epochs, grace, least, metric):
    # Sums of eighths are exact, so that the order of summation, which differs, cannot matter.
    from ray.tune.schedulers import MedianStoppingRule

    rng = random.Random(seed)
    ours = MedianStopping(context(Median(grace_epochs=grace, min_trials=least), epochs, metric=metric))
    rays = MedianStoppingRule(
        "training_iteration",
        metric,
        "max" if metric == "accuracy" else "min",
        grace_period=grace,
        min_samples_required=least,
    )
    controller = SimpleNamespace(get_live_trials=lambda: [])
    running = {SimpleName(f"t{index:02d}"): 0 for index in range(8)}
    while running:
        trial = rng.choice(sorted(running))
        running[trial] += 1
        epoch, value = running[trial], rng.randrange(9) / 8
        verdict = ours.report(Report(trial.trial_id, epoch, value))
        theirs = rays.on_trial_result(controller, trial, {"training_iteration": epoch, metric: value})
        if epoch < epochs:
            assert isinstance(verdict, Stop) == (theirs == "STOP")
        if epoch == epochs or theirs == "STOP" or rng.random() < 0.03:
            del running[trial]


class SimpleName(str):
    """A trial as far as Ray's rule looks at it: it can be hashed, and has a name."""

    @property
    def trial_id(self) -> str:
        return str(self)


@pytest.fixture
def median(context):
    def build(epochs=9, metric="accuracy", **fields):
        return MedianStopping(context(Median(**fields), epochs, metric=metric))

    return build


def test_says_why_in_the_users_sign(median, tell):
    assert tell(median(), 1, a=0.5, b=0.6, c=0.7, d=0.1)["d"] == Stop(
        "accuracy 0.1000, its best by epoch 1, is worse than 0.6000, the median of the running means of 3 other trials",
        1,
    )
    assert tell(median(metric="loss", min_trials=1), 1, a=0.5, d=2.0)["d"] == Stop(
        "loss 2.0000, its best by epoch 1, is worse than 0.5000, the median of the running means of 1 other trial", 1
    )


def test_its_best_counts_and_not_its_last(median, tell):
    scheduler = median(min_trials=1)
    tell(scheduler, 1, a=0.5, b=0.9)
    assert tell(scheduler, 2, a=0.5, b=0.1)["b"] == GoOn()


def test_only_trials_that_have_come_as_far_are_compared(median, tell):
    scheduler = median(min_trials=2)
    tell(scheduler, 1, a=0.5, b=0.6, c=0.55)
    tell(scheduler, 2, a=0.6)
    assert tell(scheduler, 2, c=0.1)["c"] == GoOn()
    tell(scheduler, 2, b=0.6)
    assert isinstance(tell(scheduler, 3, c=0.1)["c"], GoOn)


def test_epochs_of_grace_neither_stop_nor_count(median, tell):
    scheduler = median(min_trials=1, grace_epochs=2)
    assert tell(scheduler, 1, a=0.9, b=0.1)["b"] == GoOn()
    assert tell(scheduler, 2, a=0.4, b=0.4)["b"] == GoOn()


def test_equal_trials_never_lose_to_each_other(median, tell):
    # In floating point, three times 0.1 divided by 3 is above 0.1.
    scheduler = median(min_trials=1)
    for epoch in range(1, 9):
        assert set(tell(scheduler, epoch, a=0.1, b=0.1).values()) == {GoOn()}


def test_infinite_means_are_left_out(median, tell):
    verdicts = tell(median(metric="loss", min_trials=1), 1, a=math.inf, b=0.5, c=0.7)
    assert [type(verdict) for verdict in verdicts.values()] == [GoOn, GoOn, Stop]


def test_a_missing_report_is_bridged_by_the_mean_before_it(median, tell):
    scheduler = median(min_trials=1)
    tell(scheduler, 1, a=0.5)
    tell(scheduler, 3, a=0.9)
    assert "worse than 0.5000" in tell(scheduler, 2, b=0.1)["b"].reason


def test_at_its_last_epoch_a_trial_ends_by_itself(median, tell):
    scheduler = median(epochs=2, min_trials=1, grace_epochs=2)
    assert tell(scheduler, 2, a=0.9, b=0.1)["b"] == GoOn()
