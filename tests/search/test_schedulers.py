"""Successive halving on replayed learning curves: no training, no Ray session."""

from types import SimpleNamespace
from typing import Any

import pytest

from graft.search.schedulers import METRIC, Asha, Fifo, build_scheduler
from graft.spec.metrics import METRICS
from graft.spec.search import Asha as AshaSpec
from graft.spec.search import NoScheduler
from graft.tracking.events import TrialStatus

CURVES = {"good": [0.5, 0.7, 0.9, 0.95], "fair": [0.45, 0.6, 0.7, 0.75], "poor": [0.1, 0.15, 0.2, 0.2]}


def replay(scheduler: Any, curves: dict[str, list[float]]) -> dict[str, int]:
    """Feed the curves epoch by epoch, trial by trial; returns the epochs each trial got."""
    trials = {name: SimpleNamespace(trial_id=name) for name in curves}
    for trial in trials.values():
        scheduler.on_trial_add(None, trial)
    alive, epochs = dict(trials), dict.fromkeys(curves, 0)
    for epoch in range(1, max(map(len, curves.values())) + 1):
        for name, trial in list(alive.items()):
            epochs[name] = epoch
            result = {"training_iteration": epoch, METRIC: curves[name][epoch - 1]}
            if scheduler.on_trial_result(None, trial, result) == "STOP":
                del alive[name]
    return epochs


def asha(metric: str = "accuracy", epochs: int = 4) -> Asha:
    scheduler = build_scheduler(AshaSpec(grace_epochs=1, reduction_factor=2), METRICS[metric], epochs)
    assert isinstance(scheduler, Asha)
    return scheduler


def test_asha_gives_the_best_trial_all_epochs_and_the_worst_only_its_grace() -> None:
    epochs = replay(asha(), CURVES)
    assert epochs["good"] == 4
    assert epochs["poor"] == 1


def test_asha_says_why_it_stopped_a_trial() -> None:
    scheduler = asha()
    replay(scheduler, CURVES)
    end = scheduler.stop_reason("poor")
    assert end is not None
    assert (end.status, end.rung) == (TrialStatus.STOPPED, 1)
    assert "accuracy 0.1000 at epoch 1 is worse than" in end.reason
    assert "2 earlier trials" in end.reason
    assert scheduler.stop_reason("good") is None  # it reached its last epoch: that is not being stopped


def test_asha_minimises_a_loss_and_explains_in_the_users_sign() -> None:
    scheduler = asha("loss")
    epochs = replay(scheduler, {"good": [0.4, 0.3, 0.2, 0.1], "poor": [2.0, 1.9, 1.8, 1.7]})
    assert epochs == {"good": 4, "poor": 1}
    end = scheduler.stop_reason("poor")
    assert end is not None
    assert "loss 2.0000 at epoch 1 is worse than 0.4000" in end.reason


def test_a_failed_trial_does_not_move_the_rung() -> None:
    scheduler = asha()
    epochs = replay(scheduler, {"broken": [float("nan")] * 4, "good": CURVES["good"], "poor": CURVES["poor"]})
    assert epochs["good"] == 4
    assert epochs["poor"] == 1


@pytest.mark.parametrize("epochs", [1, 2])
def test_asha_works_with_fewer_epochs_than_a_rung(epochs: int) -> None:
    curves = {name: curve[:epochs] for name, curve in CURVES.items()}
    assert replay(asha(epochs=epochs), curves)["good"] == epochs


def test_no_scheduler_stops_nobody() -> None:
    scheduler = build_scheduler(NoScheduler(), METRICS["accuracy"], epochs=4)
    assert isinstance(scheduler, Fifo)
    assert scheduler.stop_reason("poor") is None
