"""How a run stands against its budget."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graft.core.errors import ResourceError
from graft.data.dataset import Dataset
from graft.experiments.budget import TOLERANCE, Deadline
from graft.experiments.progress import Progress
from graft.experiments.run_clock import (
    GROUP_SECONDS,
    MIN_FIT_SECONDS,
    THREAD_EFFICIENCY,
    UNKNOWN_FIT_SECONDS,
    RunClock,
)
from graft.experiments.stages import StageName
from graft.experiments.standing.pace import WORKER_SECONDS
from graft.experiments.standing.rest_of_run import DESCRIBING, SECONDS
from graft.experiments.standing.scoring import FORWARD_SHARE, ROOM
from graft.journal import events
from graft.spec.load import parse_job
from graft.workers.allocation import Allocation

ONE = Allocation(cpus=1, gpus=0, concurrent=2, most_cpus=2)
TWO = Allocation(cpus=2, gpus=0, concurrent=1, workers=2, most_cpus=2)

# Besides the fit: scoring, export and registration begin, and somebody looks at what the task is like.
REST_SECONDS = sum(SECONDS[name] for name in SECONDS if name != StageName.FIT) + DESCRIBING

MakePace = Callable[..., RunClock]


@pytest.fixture
def make(clock: Any, fold: Callable[..., Progress]) -> MakePace:
    """``make(seconds=60, spent=5, story=[...], **job)``"""

    def build(
        seconds: float | None = 600.0, spent: float = 0.0, story: Any = (), allocation: Allocation = ONE,
        fit: Allocation | None = None, **job: Any,
    ) -> RunClock:  # fmt: skip
        clock.seconds = 1000.0 + spent
        deadline = None if seconds is None else Deadline(seconds, "minutes")
        raw = {"name": "x", "data": "digits", "training": {"epochs": 4}, **job}
        return RunClock(
            parse_job(raw), fold(*story), clock, allocation, fit or replace(allocation, concurrent=1), deadline, 1000.0
        )

    return build


def test_time_is_counted_from_the_start_of_the_run(make: MakePace) -> None:
    assert make(spent=12.5).spent == 12.5


def test_a_fit_by_one_process_has_the_machine_to_itself(make: MakePace) -> None:
    run_clock = make()
    assert (run_clock.fit_workers, run_clock.fit_threads) == (1, 2)
    group = make(allocation=TWO)
    assert (group.fit_workers, group.fit_threads) == (2, 1)


def test_a_fit_epoch_has_more_rows_and_more_threads(make: MakePace, dataset: Dataset) -> None:
    rows = 30 / 20  # with the validation rows
    assert make().fit_scale(dataset) == pytest.approx(rows / (2 * THREAD_EFFICIENCY))
    assert make(allocation=Allocation(1, 0, 1, most_cpus=1)).fit_scale(dataset) == pytest.approx(rows)
    # two workers are as fast as the two of the trial were
    assert make(allocation=TWO).fit_scale(dataset) == pytest.approx(rows)
    assert make(training={"final_on": "train", "epochs": 4}).fit_scale(dataset) == 0.0


def test_what_comes_after_the_search_is_measured_by_its_trials(make: MakePace, dataset: Dataset, trials: Any) -> None:
    unknown = make().reserve(dataset)
    assert (unknown.worker, unknown.evaluation, unknown.rest) == (WORKER_SECONDS, 0.0, REST_SECONDS)
    run_clock = make(story=trials.of("t01", [0.5, 0.6], seconds=6.0))
    reserve = run_clock.reserve(dataset)
    # 6 test and 10 validation samples; an epoch has 20
    assert reserve.evaluation == pytest.approx(ROOM * 6.0 / 20 * FORWARD_SHARE * 16 / (2 * THREAD_EFFICIENCY))
    assert make(allocation=TWO).reserve(dataset).worker == GROUP_SECONDS
    kept = make(training={"final_on": "train", "epochs": 4}, story=trials.of("t01", [0.5, 0.6], seconds=6.0))
    assert kept.reserve(dataset).evaluation == reserve.evaluation
    viewed = make(export={"tta": 2}, story=trials.of("t01", [0.5, 0.6], seconds=6.0))
    assert viewed.reserve(dataset).evaluation == pytest.approx(reserve.evaluation * (2 * 6 + 10) / 16)


def test_scoring_goes_through_the_frozen_blocks_that_epochs_on_stored_features_leave_out(
    make: MakePace, dataset: Dataset, trials: Any
) -> None:
    started, first, *rest = trials.of("t01", [0.5, 0.6], seconds=6.0)
    first = replace(first, metrics={**first.metrics, "cache/pass_seconds": 30.0})
    plain = make(story=(started, first, *rest)).reserve(dataset).evaluation
    without = make(story=trials.of("t01", [0.5, 0.6], seconds=6.0)).reserve(dataset).evaluation
    # a second each for 6 test and 10 validation samples, on two CPUs
    assert plain - without == pytest.approx(ROOM * 16 / (2 * THREAD_EFFICIENCY))
    # four stored views, which are no more samples to score, and the validation samples
    viewed = replace(first, metrics={**first.metrics, "cache/misses": 5.0, "cache/pass_seconds": 75.0})
    assert make(story=(started, viewed, *rest)).reserve(dataset).evaluation == pytest.approx(plain)


def test_what_others_have_frozen_is_not_gone_through_when_the_best_has_nothing_frozen(
    make: MakePace, dataset: Dataset, trials: Any
) -> None:
    started, first, *rest = trials.of("t02", [0.1, 0.2], seconds=1.0)
    frozen = replace(first, metrics={**first.metrics, "cache/hits": 0.0, "cache/pass_seconds": 30.0})
    whole = trials.of("t01", [0.5, 0.6], seconds=6.0)
    alone = make(story=whole).reserve(dataset).evaluation
    assert make(story=(*whole, started, frozen, *rest)).reserve(dataset).evaluation == alone
    # features that another trial has stored: as long as that one took for them
    begun, best, *others = whole
    read = replace(best, metrics={**best.metrics, "cache/hits": 2.0})
    story = (begun, read, *others, started, frozen, *rest)
    assert make(story=story).reserve(dataset).evaluation == pytest.approx(alone + ROOM * 16 / (2 * THREAD_EFFICIENCY))


def test_a_fit_may_take_what_is_left_and_a_little_more(make: MakePace, dataset: Dataset, trials: Any) -> None:
    assert make(seconds=None).seconds_for_fit(dataset) is None
    assert make(seconds=600, spent=500).seconds_for_fit(dataset) == pytest.approx(
        600 * (1 + TOLERANCE) - 500 - REST_SECONDS
    )
    run_clock = make(seconds=600, spent=500, story=trials.of("t01", [0.5], seconds=20.0))
    evaluation = run_clock.reserve(dataset).evaluation
    assert evaluation > 0
    assert run_clock.seconds_for_fit(dataset) == pytest.approx(600 * (1 + TOLERANCE) - 500 - REST_SECONDS - evaluation)


def test_a_fit_that_comes_too_late_gets_a_moment(make: MakePace, dataset: Dataset) -> None:
    assert make(seconds=60, spent=100).seconds_for_fit(dataset) == MIN_FIT_SECONDS


PHASES = {"search": {"phases": [{"scheduler": "none", "trials": 6}, {"scheduler": "none", "trials": 3, "from": "top"},
                                {"scheduler": "none", "trials": 1}]}}  # fmt: skip


def test_phases_share_the_time_by_what_they_train(make: MakePace, dataset: Dataset) -> None:
    # 6 trials of 2 epochs, 3 of 2 more, 1 of 4: 12, 6 and 4 epochs
    left = 600 - WORKER_SECONDS - REST_SECONDS - UNKNOWN_FIT_SECONDS
    first = make(**PHASES).seconds_for_phase(0, dataset)
    assert first == pytest.approx(left * 12 / 22)
    second = make(spent=300, **PHASES).seconds_for_phase(1, dataset)
    assert second == pytest.approx((left - 300) * 6 / 10)


def test_the_last_phase_ends_with_the_search(make: MakePace, dataset: Dataset) -> None:
    assert make(**PHASES).seconds_for_phase(2, dataset) is None
    assert make().seconds_for_phase(0, dataset) is None
    assert make(seconds=None, **PHASES).seconds_for_phase(0, dataset) is None


def test_a_phase_that_comes_too_late_gets_nothing(make: MakePace, dataset: Dataset) -> None:
    assert make(seconds=60, spent=100, **PHASES).seconds_for_phase(0, dataset) == 0.0


def test_a_budget_shorter_than_the_ingest_is_told_in_one_line(make: MakePace) -> None:
    make(seconds=30, spent=29.9).require_time_to_search()
    make(seconds=None, spent=1e9).require_time_to_search()
    with pytest.raises(ResourceError) as caught:
        make(seconds=30, spent=30.1).require_time_to_search()
    assert str(caught.value) == (
        "search.budget.minutes allows 30 s, but 30 s were spent before the search could begin; raise it (the data is "
        "ingested now, so the next run is quicker)"
    )


def test_time_that_ends_before_the_first_score_is_the_budgets_fault_and_nothing_else_is(make: MakePace) -> None:
    spent, whole = (events.SearchEnded(by, "") for by in ("minutes", "trials"))
    with pytest.raises(ResourceError) as caught:
        make(seconds=90, spent=185, story=[spent]).require_time_for_a_score()
    assert str(caught.value) == (
        "search.budget.minutes allows 90 s, but no trial had a score after 185 s; raise it, or take a smaller network, "
        "a lower strategy.resolution or fewer samples"
    )
    make(seconds=90, spent=185, story=[whole]).require_time_for_a_score()
    make(seconds=90, spent=185).require_time_for_a_score()
    make(seconds=None, spent=185, story=[spent]).require_time_for_a_score()


def test_a_run_that_goes_on_with_trials_it_has_may_be_late(make: MakePace, trials: Any) -> None:
    make(seconds=30, spent=99, story=trials.of("t01", [0.5])).require_time_to_search()


def test_a_fit_that_has_no_time_for_all_its_epochs_plans_fewer(make: MakePace, dataset: Dataset, trials: Any) -> None:
    story = trials.of("t01", [0.5, 0.6, 0.7, 0.8], seconds=20.0)

    def epochs(seconds_left: float) -> int:
        needed = make(seconds=600, story=story).reserve(dataset)
        spent = 600 * (1 + TOLERANCE) - needed.evaluation - needed.rest - needed.worker - seconds_left
        run_clock = make(seconds=600, spent=spent, story=story)
        return run_clock.fit_epochs(dataset, run_clock.progress.ranked()[0])

    an_epoch = 20.0 * make().fit_scale(dataset)
    assert epochs(4.5 * an_epoch) == 4
    assert epochs(9.0 * an_epoch) == 4
    assert epochs(3.5 * an_epoch) == 3
    assert epochs(2.1 * an_epoch) == 2
    assert epochs(1.5 * an_epoch) == 0  # less than half: the weights of the search are better


def test_what_earlier_runs_have_spent_counts(make: MakePace) -> None:
    started, ended = events.ExperimentStarted("x", "x", {}, {}, time=100.0), events.StageStarted("search", time=130.0)
    assert make(spent=12.5, story=[started, ended, replace(started, time=5000.0)]).spent == 30.0 + 12.5


def test_a_run_that_goes_on_does_not_cut_its_fit(make: MakePace, dataset: Dataset, trials: Any) -> None:
    started = events.ExperimentStarted("x", "x", {}, {}, time=1.0)
    story = [started, *trials.of("t01", [0.5, 0.6, 0.7, 0.8], seconds=20.0)]
    late = make(seconds=60, spent=100, story=story)
    assert late.fit_epochs(dataset, late.progress.ranked()[0]) == 0
    resumed = make(seconds=60, spent=100, story=[*story, replace(started, time=90.0)])
    assert resumed.seconds_for_fit(dataset) is None
    assert resumed.fit_epochs(dataset, resumed.progress.ranked()[0]) == 4


SHORTEN = {"epochs": 4, "shorten": True}


def test_trainings_may_take_what_the_rest_of_the_run_leaves(make: MakePace, dataset: Dataset) -> None:
    run_clock = make(seconds=600, spent=100, training=SHORTEN)
    allowance = run_clock.allowance(dataset)
    assert allowance is not None
    assert allowance.until == run_clock.clock.now() + 600 - 100 - WORKER_SECONDS - REST_SECONDS
    assert allowance.fit == run_clock.fit_scale(dataset)
    # 6 test and 10 validation samples after the run, 10 after each epoch; an epoch has 20
    assert allowance.scoring == pytest.approx(16 / 20 * ROOM * FORWARD_SHARE / (2 * THREAD_EFFICIENCY))
    assert allowance.validation == pytest.approx(10 / 20 * ROOM * FORWARD_SHARE)


def test_models_of_folds_are_trained_in_every_epoch(make: MakePace, dataset: Dataset) -> None:
    folds = {"evaluation": {"folds": 3, "top": None}}
    plain, folded = (make(training=SHORTEN, search=one).allowance(dataset) for one in ({}, folds))
    assert plain is not None
    assert folded is not None
    assert folded.validation - plain.validation == pytest.approx(30 * 2 / 20)


def test_epochs_that_a_job_names_are_trained_whatever_they_take(make: MakePace, dataset: Dataset) -> None:
    assert make(seconds=600).allowance(dataset) is None
    assert make(seconds=None, training=SHORTEN).allowance(dataset) is None
