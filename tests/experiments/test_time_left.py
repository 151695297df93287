"""How big a search is, and how long it will take."""

from collections.abc import Callable
from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.time_left import time_left
from graft.journal import events
from graft.search.outlook import Outlook, expected_epochs
from graft.spec.load import parse_job
from graft.spec.search.phases import phases_of
from graft.spec.search.schedulers import Asha, HyperBand, Median, NoScheduler, OneEpochTopK, Pb2, Pbt
from graft.spec.search.search import SearchSpec

Fold = Callable[..., Progress]


def outlook(search: Any, epochs: int = 4) -> Outlook:
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    raw = {"name": "x", "data": "digits", "strategy": space, "training": {"epochs": epochs}, "search": search}
    return Outlook.of(parse_job(raw))


@pytest.mark.parametrize(
    ("scheduler", "epochs", "expected"),
    [
        (NoScheduler(), 8, 8.0),
        (Asha(grace_epochs=1, reduction_factor=3), 8, 1 + 2 / 3 + 5 / 9),
        (Asha(grace_epochs=2, reduction_factor=2), 8, 2 + 2 / 2 + 4 / 4),
        (Asha(grace_epochs=4), 4, 4.0),
        # brackets of 9, 5 and 3 trials: compared at 1 and 3, at 3, and never
        (HyperBand(), 9, (9 * (1 + 2 / 3 + 6 / 9) + 5 * (3 + 6 / 3) + 3 * 9) / 17),
        (HyperBand(), 2, 2.0),
        (Median(), 8, 6.0),
        (OneEpochTopK(keep=4, epochs=1), 9, 1 + 4 / 16 * 8),
        (OneEpochTopK(keep=99), 9, 9.0),
        (OneEpochTopK(epochs=4), 4, 4.0),
        (Pbt(), 8, 8.0),
        (Pb2(), 8, 8.0),
    ],
)
def test_expected_epochs_follow_the_scheduler(scheduler: Any, epochs: int, expected: float) -> None:
    trials = {} if isinstance(scheduler, Pbt | Pb2) else {"budget": {"trials": 17 if epochs == 9 else 16}}
    if isinstance(scheduler, OneEpochTopK):
        trials = {"budget": {"trials": 16}}
    phases = phases_of(SearchSpec.model_validate({"scheduler": scheduler, **trials}), epochs)
    assert expected_epochs(phases, 0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("scheduler", "expected"),
    [
        (NoScheduler(), 6.0),
        (Asha(), 6.0),  # all its rungs, at 1, 3 and 9, are behind
        (Asha(grace_epochs=4), 1 + 5 / 3),  # one rung, at 4
        (Asha(grace_epochs=1, reduction_factor=5), 2 + 4 / 5),
        (Median(), 4.5),
        (OneEpochTopK(), 6.0),
        (OneEpochTopK(epochs=6, keep=4), 3 + 3 / 4),
        (Pbt(), 6.0),
    ],
)
def test_a_phase_that_goes_on_counts_from_where_it_begins(scheduler: Any, expected: float) -> None:
    size = {"population": 16} if isinstance(scheduler, Pbt) else {"trials": 16}
    search = [{"scheduler": "none", "trials": 16, "epochs": 3}, {"scheduler": scheduler, "from": "top", **size}]
    phases = phases_of(SearchSpec.model_validate(search), 9)
    assert expected_epochs(phases, 1) == pytest.approx(expected)


def test_the_outlook_is_that_of_the_job() -> None:
    found = outlook([{"scheduler": "none", "trials": 6}, {"scheduler": "pbt", "population": 2, "from": "top"}], 5)
    assert [phase.epochs for phase in found.phases] == [3, 5]
    assert (found.epochs, found.trials, found.minutes) == ((3.0, 2.0), 8, None)
    unlimited = outlook({"budget": {"minutes": 3}})
    assert (unlimited.trials, unlimited.minutes) == (None, 3)


def test_before_the_first_epoch_nothing_is_known(fold: Fold, trials: Any) -> None:
    assert time_left(fold(), outlook({})) is None
    assert time_left(fold(*trials.of("t01", [], None)), outlook({})) is None


def test_the_time_left_comes_from_measured_epochs(fold: Fold, trials: Any) -> None:
    four = outlook({"scheduler": "none", "budget": {"trials": 4}}, epochs=2)
    progress = fold(*trials.of("t01", [0.5, 0.6], seconds=4.0), *trials.of("t02", [0.5], None, seconds=4.0))
    left = time_left(progress, four)
    assert left is not None
    assert left.seconds == pytest.approx((2 * 2 + 1) * 4.0)
    assert left.band == 0.0


def test_epochs_that_differ_widen_the_band(fold: Fold, trials: Any) -> None:
    four = outlook({"scheduler": "none", "budget": {"trials": 4}}, epochs=2)
    progress = fold(*trials.of("t01", [0.5, 0.6], seconds=2.0), *trials.of("t02", [0.5], None, seconds=6.0))
    left = time_left(progress, four)
    assert left is not None
    assert 0 < left.band < left.seconds


def test_trials_at_once_share_what_is_left(fold: Fold, trials: Any) -> None:
    four = outlook({"scheduler": "none", "budget": {"trials": 4}}, epochs=2)
    one = time_left(fold(*trials.of("t01", [0.5], None)), four)
    two = time_left(fold(*trials.of("t01", [0.5], None), *trials.of("t02", [0.5], None)), four)
    assert one is not None
    assert two is not None
    assert (one.seconds, two.seconds) == (7 * 2.0, 6 * 2.0 / 2)


def test_phases_count_each_for_itself(fold: Fold, trials: Any) -> None:
    both = outlook([{"scheduler": "none", "trials": 2}, {"scheduler": "pbt", "population": 2, "from": "top"}])
    story = [
        events.PhaseStarted(0, "none", "random", 2),
        trials.started("t01", epochs=2), trials.reported("t01", 1, 0.5), trials.reported("t01", 2, 0.6),
        trials.ended("t01"),
    ]  # fmt: skip
    left = time_left(fold(*story), both)
    assert left is not None
    assert left.seconds == (2 + 2 * 2) * 2.0  # t02, and the population from epoch 2 to 4
    second = [
        events.PhaseFinished(0, 1, 0.6, "t01", 9.0),  # one trial of two: the phase ended early
        trials.started("t03", phase=1, epochs=4, start=("t01", 0, 2)),
        trials.reported("t03", 3, 0.7),
    ]
    left = time_left(fold(*story, *second), both)
    assert left is not None
    assert left.seconds == (2 + 1) * 2.0


def test_a_deadline_is_what_is_left_at_most(fold: Fold, trials: Any) -> None:
    started = events.ExperimentStarted("x", "x", {}, time=0.0)
    story = [started, *trials.of("t01", [0.5], None, seconds=50.0)]  # a minute has passed
    short = time_left(fold(*story), outlook({"scheduler": "none", "budget": {"trials": 2, "minutes": 3}}))
    assert short is not None
    assert (short.seconds, short.band) == (120.0, 0.0)
    long = time_left(fold(*story), outlook({"scheduler": "none", "budget": {"trials": 2, "minutes": 30}}))
    assert long is not None
    assert long.seconds == 7 * 50.0
    unlimited = time_left(fold(*story), outlook({"scheduler": "none", "budget": {"minutes": 30}}))
    assert unlimited is not None
    assert (unlimited.seconds, unlimited.band) == (29 * 60.0, 0.0)


def test_what_is_overdue_is_not_less_than_nothing(fold: Fold, trials: Any) -> None:
    started = events.ExperimentStarted("x", "x", {}, time=0.0)
    story = [started, *trials.of("t01", [0.5], None, seconds=500.0)]
    left = time_left(fold(*story), outlook({"scheduler": "none", "budget": {"minutes": 1}}))
    assert left is not None
    assert left.seconds == 0.0
