"""The pure decisions of a run: shares of the machine, the budget, and how long things will take."""

import pytest

from graft.core.errors import ResourceError
from graft.pipeline.budget import AFTER_FIT_SECONDS, TimeBudget, fit_epochs, fit_seconds
from graft.pipeline.estimate import expected_epochs, time_left
from graft.pipeline.progress import Progress, TrialProgress
from graft.pipeline.resources import share
from graft.spec.metrics import METRICS
from graft.spec.resources import ResourcesSpec
from graft.spec.search import Asha, NoScheduler
from graft.tracking.events import TrialStatus


class At:
    """A clock that stands still."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds

    def elapsed(self) -> float:
        return self.seconds


def progress(*trials: TrialProgress) -> Progress:
    made = Progress(METRICS["accuracy"], epochs=8)
    made.trials = {trial.trial: trial for trial in trials}
    return made


def scored(name: str, score: float, epoch_seconds: list[float], status: str = TrialStatus.COMPLETED) -> TrialProgress:
    epochs = len(epoch_seconds)
    best = {"val/accuracy": score}
    return TrialProgress(name, name, {}, status, epochs, best, epochs, epoch_seconds=epoch_seconds)


@pytest.mark.parametrize(
    ("spec", "machine", "expected"),
    [
        ({}, (2, 0), (1, 0, 2)),
        ({}, (16, 0), (4, 0, 4)),  # only four trials: they share all CPUs
        ({}, (8, 2), (4, 1, 2)),  # a GPU each, the CPUs divided
        ({"gpus_per_worker": 0.5}, (8, 2), (2, 0.5, 4)),
        ({"gpus_per_worker": 0}, (8, 2), (2, 0, 4)),
        ({"cpus_per_worker": 2}, (5, 0), (2, 0, 2)),
        ({"concurrent_trials": 1}, (2, 0), (2, 0, 1)),
    ],
)
def test_a_machine_is_divided_among_four_trials(
    spec: dict[str, float], machine: tuple[int, int], expected: tuple[float, float, int]
) -> None:
    divided = share(ResourcesSpec(**spec), *machine, trials=4)
    assert (divided.cpus, divided.gpus, divided.concurrent) == expected
    assert divided.concurrent * divided.cpus <= machine[0]


def test_a_trial_that_fits_nowhere_is_refused_with_what_is_missing() -> None:
    with pytest.raises(ResourceError, match=r"gpus_per_worker is 1, but this session has 0"):
        share(ResourcesSpec(gpus_per_worker=1), cpus=2, gpus=0, trials=4)


def test_a_search_without_a_time_budget_never_ends_for_time() -> None:
    assert not TimeBudget(None, 0.0).search_is_over(progress(), At(1e9), 1.0)


def test_the_search_leaves_time_for_the_final_fit() -> None:
    budget = TimeBudget(seconds=300.0, started=100.0)
    best = progress(scored("t01", 0.9, [5.0] * 8), scored("t02", 0.5, [50.0] * 8))
    fit = fit_seconds(best.trials["t01"], 8, fit_scale=1.25)
    assert fit == 50.0
    last_moment = 100.0 + 300.0 - AFTER_FIT_SECONDS - fit
    assert not budget.search_is_over(best, At(last_moment - 1), 1.25)
    assert budget.search_is_over(best, At(last_moment), 1.25)


def test_the_fit_takes_all_epochs_unless_the_trials_patience_ran_out() -> None:
    assert fit_epochs(scored("t01", 0.9, [1.0] * 8), epochs=8) == 8
    impatient = scored("t01", 0.9, [1.0] * 6)
    impatient.best_epoch = 4
    assert fit_epochs(impatient, epochs=8) == 4
    assert fit_epochs(scored("t01", 0.9, [1.0] * 2, TrialStatus.INTERRUPTED), epochs=8) == 8


@pytest.mark.parametrize(
    ("scheduler", "epochs", "expected"),
    [
        (NoScheduler(), 8, 8.0),
        (Asha(grace_epochs=1, reduction_factor=3), 8, 1 + 2 / 3 + 5 / 9),
        (Asha(grace_epochs=2, reduction_factor=2), 8, 2 + 2 / 2 + 4 / 4),
        (Asha(grace_epochs=4), 4, 4.0),
    ],
)
def test_expected_epochs_follow_the_rungs(scheduler: NoScheduler | Asha, epochs: int, expected: float) -> None:
    assert expected_epochs(scheduler, epochs) == pytest.approx(expected)


def test_the_time_left_comes_from_measured_epochs() -> None:
    assert time_left(progress(), trials=4, epochs_a_trial=2.0) is None
    running = TrialProgress("t02", "t02", {}, epoch=1, epoch_seconds=[4.0])
    left = time_left(progress(scored("t01", 0.9, [4.0, 4.0]), running), trials=4, epochs_a_trial=2.0)
    assert left is not None
    assert left.seconds == pytest.approx((2 * 2 + 1) * 4.0)
    assert left.band == 0.0
