"""How many epochs there is time for, and what becomes of a trial that has planned fewer than it was to train."""

from typing import Any
from unittest.mock import Mock

import pytest

from graft.search.conductor import Conductor
from graft.search.protocol import LENGTH, Allowance, GoOn, Hold, Others, Past, Proposal, Report, length_in
from graft.search.schedulers.build import build_scheduler
from graft.search.tune_bridge import from_config, to_config
from graft.spec.search.phases import phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

EPOCHS = 6
TOP_K: dict[str, Any] = {"kind": "one_epoch_top_k", "epochs": 2}


@pytest.mark.parametrize(
    ("done", "seconds", "now", "epochs"),
    [(0, 10, 0, 9), (0, 10, 50, 4), (3, 10, 50, 7), (0, 1000, 0, 0), (2, 10, 200, 0), (0, 0.1, 0, 900)],
)
def test_nine_tenths_of_the_time_are_planned(done: int, seconds: float, now: float, epochs: int) -> None:
    assert Allowance(until=100.0).epochs(done, seconds, now) == epochs


def test_the_fit_has_as_many_and_the_model_is_scored() -> None:
    # 9 epochs of time: 4 of training and 4 of the fit; scoring takes 3 of them
    assert Allowance(100.0, fit=1.0).epochs(0, 10.0, 0.0) == 4
    assert Allowance(100.0, fit=1.0, scoring=3.0).epochs(0, 10.0, 0.0) == 3


def test_a_proposal_that_has_become_shorter_goes_to_its_process_as_it_is() -> None:
    whole = Proposal("t01", Strategy(), epochs=12)
    assert whole.shortened(None) is whole
    short = whole.shortened(length_in({LENGTH: 5.0, "val/accuracy": 0.5}))
    assert (short.epochs, short.length, short.strategy) == (5, 5, whole.strategy)
    assert from_config(to_config(short)) == short
    assert length_in({"val/accuracy": 0.5}) is None


def conductor(scheduler: Any) -> Conductor:
    """Of two trials that run at once."""
    search = SearchSpec.model_validate({"scheduler": scheduler, "budget": {"trials": 2}})
    phase, metric = phases_of(search, EPOCHS)[0], metric_named("accuracy")
    scheduler = build_scheduler(phase, metric, 0, StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}}))
    proposals = iter([Proposal(f"t0{one}", Strategy(lr=one / 1000), epochs=EPOCHS) for one in (1, 2)])
    proposer = Mock(propose=lambda on_duplicate: next(proposals, None), is_exhausted=False)
    return Conductor(scheduler, proposer, Mock(), metric, slots=2)


def report(led: Conductor, trial: str, epoch: int, **more: float) -> object:
    return led.reported(trial, epoch, {"val/accuracy": 0.1, **more})


def test_a_trial_that_has_planned_fewer_epochs_is_not_held_at_its_last() -> None:
    whole, short = conductor(TOP_K), conductor(TOP_K)
    for led in (whole, short):
        assert led.next()
        assert led.next()
        assert isinstance(report(led, "t01", 1), GoOn)
    assert isinstance(report(whole, "t01", 2), Hold)
    assert isinstance(report(short, "t01", 2, **{LENGTH: 2.0}), GoOn)


def test_it_goes_on_with_as_many_in_another_process_and_another_run() -> None:
    led = conductor("asha")
    assert led.next()
    assert isinstance(report(led, "t01", 1, **{LENGTH: 3.0}), GoOn)
    led.crashed("t01", "died")
    again = led.next()
    assert again is not None
    assert (again.trial, again.epochs, again.length, again.reported) == ("t01", 3, 3, 1)

    resumed = conductor("asha")
    started = Proposal("t01", Strategy(lr=0.001), epochs=EPOCHS)
    resumed.restore([Past("t01", started), Past("t01", Report("t01", 1, 0.1, length=3))])
    assert resumed.next() == again


def test_a_training_leaves_others_the_time_that_they_need() -> None:
    allowance = Allowance(until=1000.0, fit=1.0, scoring=2.0)
    assert allowance.epochs(0, 10.0, 0.0) == int((900 / 10 - 2) / 2)
    assert allowance.epochs(0, 10.0, 0.0, Others(until=200.0, scoring=0.0)) == 18
    assert allowance.epochs(4, 10.0, 100.0, Others(until=200.0, scoring=0.0)) == 4 + 9
    # what the final model is scored for is no less than others say
    assert allowance.epochs(0, 10.0, 0.0, Others(until=1000.0, scoring=300.0)) == int((900 - 300) / 10 / 2)
    told = Proposal("t01", Strategy(lr=0.001), epochs=9, others=Others(200.0, 30.0))
    assert from_config(to_config(told)) == told
