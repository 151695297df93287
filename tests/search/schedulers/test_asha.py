"""Asynchronous successive halving: as Ray Tune decides, with a reason, and with checkpoints to start from."""

import math
import random
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.search.protocol import GoOn, Proposal, Report, Stop
from graft.search.schedulers.asha import Asha
from graft.spec.search.schedulers import Asha as AshaSpec
from graft.spec.strategy import Strategy


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    epochs=st.integers(1, 30),
    grace=st.integers(1, 12),
    eta=st.integers(2, 5),
    metric=st.sampled_from(["accuracy", "loss"]),
    levels=st.sampled_from([3, 10, 10**6]),
)
def test_decides_as_ray_does(context, seed, epochs, grace, eta, metric, levels):
    # Few levels make many ties. Ray ends a trial at its last epoch by a stop; here the trial does it by itself.
    from ray.tune.schedulers import AsyncHyperBandScheduler

    rng = random.Random(seed)
    ours = Asha(context(AshaSpec(grace_epochs=grace, reduction_factor=eta), epochs, metric=metric))
    rays = AsyncHyperBandScheduler(
        "training_iteration",
        metric,
        "max" if metric == "accuracy" else "min",
        max_t=epochs,
        grace_period=min(grace, epochs),
        reduction_factor=eta,
    )
    running, started = {}, 0
    while running or started < 12:
        if started < 12 and len(running) < 4:
            started += 1
            trial = SimpleNamespace(trial_id=f"t{started:02d}")
            running[trial.trial_id] = (trial, 0)
            ours.add(Proposal(trial.trial_id, Strategy(), epochs=epochs))
            rays.on_trial_add(None, trial)
            continue
        name = rng.choice(sorted(running))
        trial, epoch = running[name]
        epoch, value = epoch + 1, rng.randrange(levels) / levels
        result = {"training_iteration": epoch, metric: value}
        verdict, theirs = ours.report(Report(name, epoch, value)), rays.on_trial_result(None, trial, result)
        if epoch < epochs:
            assert isinstance(verdict, Stop) == (theirs == "STOP")
        if rng.random() < 0.03:
            ours.remove(name)  # it failed: its values stay where they are, as Ray's do
            del running[name]
        elif theirs == "STOP":
            rays.on_trial_complete(None, trial, result)
            ours.remove(name)
            del running[name]
        else:
            running[name] = (trial, epoch)


@pytest.fixture
def asha(context):
    def build(epochs=9, metric="accuracy", grace=1, eta=3):
        return Asha(context(AshaSpec(grace_epochs=grace, reduction_factor=eta), epochs, metric=metric))

    return build


def test_says_why_in_the_users_sign(asha, tell):
    assert tell(asha(eta=2), 1, a=0.8, b=0.4, c=0.1)["c"] == Stop(
        "accuracy 0.1000 at epoch 1 is worse than 0.6000, the best 1/2 of 2 earlier trials", 1
    )
    assert tell(asha(metric="loss"), 1, a=0.5, b=2.0)["b"] == Stop(
        "loss 2.0000 at epoch 1 is worse than 0.5000, the best 1/3 of 1 earlier trial", 1
    )


def test_equals_go_on(asha, tell):
    assert set(tell(asha(), 1, a=0.5, b=0.5, c=0.5).values()) == {GoOn()}


def test_compares_at_rungs_only_and_never_at_the_last_epoch(asha, tell):
    scheduler = asha(epochs=9)
    for epoch in range(1, 10):
        verdicts = tell(scheduler, epoch, a=0.9, b=0.9 if epoch in (1, 3) else 0.1)
        assert set(verdicts.values()) == {GoOn()}


def test_a_trial_from_a_checkpoint_joins_the_rungs_above_it(asha, proposal, tell):
    scheduler = asha(epochs=20)
    for epoch in range(1, 10):
        tell(scheduler, epoch, a=0.9)
    scheduler.add(proposal("b", start=3))
    assert [tell(scheduler, epoch, b=0.1)["b"] for epoch in range(4, 9)] == [GoOn()] * 5
    assert tell(scheduler, 9, b=0.1)["b"].rung == 9
    # and its low value at epoch 4 has not lowered the rung at 3
    assert "1 earlier trial" in tell(scheduler, 3, c=0.1)["c"].reason


def test_a_missing_report_joins_the_highest_rung_passed_and_no_other(asha, tell):
    scheduler = asha(epochs=20)
    for epoch in range(1, 11):
        tell(scheduler, epoch, a=0.9, b=0.8)
    assert tell(scheduler, 10, c=0.1)["c"].rung == 9
    assert tell(scheduler, 11, c=0.1)["c"] == GoOn()


def test_adding_a_trial_again_changes_nothing(asha, proposal, tell):
    scheduler = asha()
    scheduler.add(proposal("a"))
    tell(scheduler, 1, a=0.9)
    scheduler.add(proposal("a"))
    assert tell(scheduler, 2, a=0.1)["a"] == GoOn()


def test_a_loss_that_overflowed_is_the_worst_and_says_nothing_else(asha, tell):
    scheduler = asha(metric="loss")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        verdicts = tell(scheduler, 1, a=math.inf, b=math.inf, c=0.5, d=0.9, e=0.4, f=0.3, g=math.inf)
    # `d` meets a cutoff between minus infinity and a number; `g` one between numbers.
    assert [trial for trial, verdict in verdicts.items() if verdict != GoOn()] == ["g"]


@pytest.mark.parametrize("epochs", [1, 2])
def test_fewer_epochs_than_grace_stop_nobody(asha, tell, epochs):
    scheduler = asha(epochs=epochs, grace=5)
    for epoch in range(1, epochs + 1):
        assert set(tell(scheduler, epoch, a=0.9, b=0.1).values()) == {GoOn()}
