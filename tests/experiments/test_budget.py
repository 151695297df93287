"""When a search has to end: its target is reached, or what is left is needed for the rest of the run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graft.core.errors import ResourceError
from graft.experiments.budget import (
    NOTHING_AFTER,
    Deadline,
    Reserve,
    cost_end,
    deadline_of,
    fit_epochs,
    fit_seconds,
    search_end,
)
from graft.experiments.progress import Progress
from graft.journal.events import NodesCounted, SearchEnded, TrialStatus
from graft.search.protocol import LENGTH
from graft.spec.resources import PriceSpec
from graft.spec.search.budget import BudgetSpec
from graft.workers.allocation import Allocation

CPUS, GPUS = Allocation(cpus=2, gpus=0, concurrent=2), Allocation(cpus=2, gpus=1, concurrent=2)
PRICE = PriceSpec(cpu_hour=0.1, gpu_hour=2.0)
NOTHING_ELSE = Reserve(worker=0, fit_scale=0, evaluation=0, rest=0)

Fold = Callable[..., Progress]


@pytest.mark.parametrize(
    ("budget", "allocation", "expected"),
    [
        ({}, CPUS, None),
        ({"trials": 3}, CPUS, None),
        ({"minutes": 2}, CPUS, Deadline(120, "minutes")),
        ({"gpu_hours": 1}, GPUS, Deadline(1800, "gpu_hours")),  # two at a time
        ({"gpu_hours": 1}, CPUS, None),
        ({"cost": 0.8}, CPUS, Deadline(7200, "cost")),  # four CPUs cost 0.4 an hour
        ({"cost": 4.4}, GPUS, Deadline(3600, "cost")),  # and two GPUs 4 more
        ({"minutes": 20, "gpu_hours": 1, "cost": 4.4}, GPUS, Deadline(1200, "minutes")),
        ({"minutes": 90, "gpu_hours": 1, "cost": 4.4}, GPUS, Deadline(1800, "gpu_hours")),
        ({"minutes": 90, "gpu_hours": 3, "cost": 4.4}, GPUS, Deadline(3600, "cost")),
    ],
)
def test_the_first_limit_to_be_reached_counts(
    budget: dict[str, Any], allocation: Allocation, expected: Deadline | None
) -> None:
    found = deadline_of(BudgetSpec(**budget), PRICE, allocation, trials=3)
    assert (found and found.by) == (expected and expected.by)
    assert (found and found.seconds) == pytest.approx(expected and expected.seconds)


@pytest.mark.parametrize(
    ("budget", "price", "told"),
    [
        ({"gpu_hours": 3}, PRICE, "search.budget.gpu_hours is 3, but a trial uses 2 CPU and 0 GPU, which spends"),
        ({"cost": 3}, PriceSpec(gpu_hour=2.0), "search.budget.cost is 3, but a trial uses 2 CPU and 0 GPU"),
    ],
)
def test_a_search_that_nothing_would_end_is_refused(budget: dict[str, Any], price: PriceSpec, told: str) -> None:
    with pytest.raises(ResourceError, match=told) as caught:
        deadline_of(BudgetSpec(**budget), price, CPUS, trials=None)
    assert "\n" not in str(caught.value)
    assert deadline_of(BudgetSpec(**budget), price, CPUS, trials=9) is None
    assert deadline_of(BudgetSpec(**budget, minutes=1), price, CPUS, trials=None) == Deadline(60, "minutes")


def end(progress: Progress, spent: float, seconds: float | None = None, **more: Any) -> SearchEnded | None:
    deadline = None if seconds is None else Deadline(seconds, "minutes")
    reserve = more.pop("reserve", NOTHING_ELSE)
    return search_end(deadline, BudgetSpec(**more), progress.metric, progress, spent, reserve)


def test_a_search_without_a_limit_never_ends_for_time(fold: Fold, trials: Any) -> None:
    assert end(fold(*trials.of("t01", [0.9])), spent=1e9) is None


@pytest.mark.parametrize(
    ("metric", "target", "is_reached"),
    [
        ("accuracy", 0.8, True),
        ("accuracy", {"accuracy": 0.7}, True),
        ("accuracy", 0.81, False),
        ("loss", 0.2, True),
        ("loss", {"loss": 0.3}, True),
        ("loss", 0.19, False),
    ],
)
def test_the_target_ends_the_search_as_soon_as_it_is_reached(
    fold: Fold, trials: Any, metric: str, target: Any, is_reached: bool
) -> None:
    progress = fold(*trials.of("t01", [0.5]), *trials.of("t02", [0.8, 0.75], None), metric=metric)
    progress.trials["t02"].best = {f"val/{metric}": 0.8 if metric == "accuracy" else 0.2}
    found = end(progress, spent=1.0, target=target)
    assert (found is not None and found.by == "target") is is_reached
    if found:
        assert found.detail.startswith(f"t02 has {metric} ")
        assert "the target is" in found.detail


def test_no_target_is_reached_before_anything_was_reported(fold: Fold, trials: Any) -> None:
    assert end(fold(), spent=1.0, target=-1.0) is None
    assert end(fold(*trials.of("t01", [], TrialStatus.FAILED)), spent=1.0, target=-1.0) is None


def test_the_search_leaves_time_for_what_follows(fold: Fold, trials: Any) -> None:
    progress = fold(*trials.of("t01", [0.9] * 4, seconds=5.0), *trials.of("t02", [0.5] * 4, seconds=50.0))
    reserve = Reserve(worker=3.0, fit_scale=1.25, evaluation=4.0, rest=2.0)
    needed = 3.0 + 4 * 5.0 * 1.25 + 4.0 + 2.0
    assert reserve.after(progress.trials["t01"], 4) == pytest.approx(needed)
    assert end(progress, 300 - needed - 0.1, seconds=300, reserve=reserve) is None
    found = end(progress, 300 - needed + 0.1, seconds=300, reserve=reserve)
    assert found is not None
    assert (found.by, found.detail) == ("minutes", "266 s are spent, and the fit and the rest need about 34 of 300 s")


def test_it_waits_for_a_training_that_ends_within_a_fifth_of_the_fit(fold: Fold, trials: Any) -> None:
    best, reserve = trials.of("t01", [0.9] * 4, seconds=5.0), Reserve(worker=0, fit_scale=1.0, evaluation=0, rest=0)
    one_left, two_left = (fold(*best, *trials.of("t02", [0.5] * done, None, seconds=3.0)) for done in (3, 2))
    assert end(one_left, 280.5, seconds=300, reserve=reserve) is None
    assert end(two_left, 280.5, seconds=300, reserve=reserve) is not None
    # the epoch that is left takes 3 s, of the 4 that the fit can spare
    assert end(one_left, 281.5, seconds=300, reserve=reserve) is not None
    none_reported = fold(*best, *trials.of("t02", [], None))
    assert end(none_reported, 280.5, seconds=300, reserve=reserve) is not None


def test_a_search_whose_minutes_are_its_own_leaves_none(fold: Fold, trials: Any) -> None:
    progress = fold(*trials.of("t01", [0.9] * 4, seconds=5.0))
    assert end(progress, 299.0, seconds=300, reserve=NOTHING_AFTER) is None
    found = end(progress, 301.0, seconds=300, reserve=NOTHING_AFTER)
    assert found is not None
    assert (found.by, found.detail) == ("minutes", "301 of 300 s are spent")


def test_minutes_are_overrun_until_the_first_score_or_until_they_are_doubled(fold: Fold, trials: Any) -> None:
    reserve = Reserve(worker=3.0, fit_scale=1.0, evaluation=4.0, rest=2.0)
    assert reserve.after(None, 4) == 9.0
    waiting, failed = fold(*trials.of("t01", [], None)), fold(*trials.of("t01", [], TrialStatus.FAILED))
    assert end(waiting, 599.0, seconds=300, reserve=reserve) is None
    assert end(waiting, 600.0, seconds=300, reserve=reserve) is not None
    assert end(fold(*trials.of("t01", [0.1], None)), 301.0, seconds=300, reserve=reserve) is not None
    # where nothing runs, nothing is waited for; only what follows keeps its time
    assert end(failed, 290.0, seconds=300, reserve=reserve) is None
    assert end(failed, 291.0, seconds=300, reserve=reserve) is not None


@pytest.mark.parametrize("by", ["gpu_hours", "cost"])
def test_what_is_paid_for_is_never_overrun(fold: Fold, trials: Any, by: str) -> None:
    waiting = fold(*trials.of("t01", [], None))
    assert search_end(Deadline(300, by), BudgetSpec(), waiting.metric, waiting, 301.0, NOTHING_ELSE) is not None


def test_the_fit_takes_all_epochs_unless_the_trials_patience_ran_out(fold: Fold, trials: Any) -> None:
    progress = fold(
        *trials.of("whole", [0.1, 0.4, 0.3, 0.2]),
        *trials.of("impatient", [0.1, 0.4, 0.3]),
        *trials.of("stopped", [0.4, 0.3], TrialStatus.STOPPED),
        *trials.of("cut", [0.4], TrialStatus.INTERRUPTED),
    )
    found = {name: fit_epochs(trial, 4) for name, trial in progress.trials.items()}
    assert found == {"whole": 4, "impatient": 2, "stopped": 4, "cut": 4}


def test_a_trial_that_came_to_the_end_of_a_short_phase_did_not_lose_patience(fold: Fold, trials: Any) -> None:
    short = fold(trials.started("t01", epochs=2), trials.reported("t01", 1, 0.9), trials.reported("t01", 2, 0.8),
                 trials.ended("t01"), epochs=8)  # fmt: skip
    assert fit_epochs(short.trials["t01"], 8) == 8


def test_a_fit_is_judged_by_the_trials_own_epochs(fold: Fold, trials: Any) -> None:
    progress = fold(*trials.of("t01", [0.5] * 4, seconds=3.0), *trials.of("t02", [], None))
    assert fit_seconds(progress.trials["t01"], 4, fit_scale=2.0) == 24.0
    assert fit_seconds(progress.trials["t02"], 4, fit_scale=2.0) == 0.0


@pytest.mark.parametrize(("cost", "is_over"), [(1.0, False), (1.9, False), (2.0, True), (3.0, True)])
def test_nodes_that_have_cost_the_budget_end_the_search(cost: float, is_over: bool) -> None:
    counted = NodesCounted({"gpu": 2}, {"gpu": 100.0}, cost, an_hour=6.0)
    ended = cost_end(BudgetSpec(cost=3.0), counted, needed=600.0)
    assert (ended is not None) == is_over
    if ended is not None:
        assert ended.by == "cost"
        assert "need about 1.00 of 3" in ended.detail


def test_where_nobody_counts_nodes_none_end_the_search() -> None:
    assert cost_end(BudgetSpec(cost=3.0), None, 600.0) is None
    assert cost_end(BudgetSpec(), NodesCounted({}, {}, 99.0, 0.0), 600.0) is None


def test_prices_of_nodes_count_where_nodes_are_counted() -> None:
    price, budget = PriceSpec(cpu_hour=0.5, node_hour={"gpu": 2.0}), BudgetSpec(cost=2.0)
    assert deadline_of(budget, price.where_nodes(are_counted=True), CPUS, None) is None
    assert deadline_of(budget, price.where_nodes(are_counted=False), CPUS, None) == Deadline(3600, "cost")
    alone = PriceSpec(node_hour={"gpu": 2.0}).where_nodes(are_counted=False)
    with pytest.raises(ResourceError, match="spends nothing of it; set minutes or trials too"):
        deadline_of(budget, alone, CPUS, None)


def test_a_trial_that_has_planned_fewer_epochs_is_fitted_for_as_many(fold: Fold, trials: Any) -> None:
    first, second = trials.reported("t01", 1, 0.3, seconds=10.0), trials.reported("t01", 2, 0.4, seconds=10.0)
    told = [replace(one, metrics={**one.metrics, LENGTH: 2.0}) for one in (first, second)]
    progress = fold(trials.started("t01", epochs=12), *told, trials.ended("t01"), epochs=12)
    short = progress.trials["t01"]
    assert (short.length, fit_epochs(short, 12), fit_seconds(short, 12, fit_scale=1.5)) == (2, 2, 30.0)
