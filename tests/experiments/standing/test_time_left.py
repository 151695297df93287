"""How big a search is, and how long it will take."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.stages import StageName
from graft.experiments.standing.pace import WORKER_SECONDS
from graft.experiments.standing.rest_of_run import DESCRIBING, SECONDS
from graft.experiments.standing.scoring import FORWARD_SHARE, ROOM
from graft.experiments.standing.time_left import TimeLeft, time_left
from graft.journal import events
from graft.learner.ensemble.worth import chance_of_worth
from graft.search.outlook import Outlook, expected_epochs
from graft.spec.load import parse_job
from graft.spec.search.phases import phases_of
from graft.spec.search.schedulers import Asha, HyperBand, Median, NoScheduler, OneEpochTopK, Pb2, Pbt
from graft.spec.search.search import SearchSpec

Fold = Callable[..., Progress]


def outlook(search: Any, epochs: int = 4, **training: Any) -> Outlook:
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    raw = {
        "name": "x",
        "data": "digits",
        "strategy": space,
        "training": {"epochs": epochs} | training,
        "search": search,
    }
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
    assert (found.fit_epochs, found.is_registered) == (5, True)
    unlimited = outlook({"budget": {"minutes": 3}})
    assert (unlimited.trials, unlimited.minutes) == (None, 3)


# Of a run that takes weights of the search and registers nothing: taking them, scoring, writing the bundle.
AFTER = 0.5 + SECONDS[StageName.EVALUATE] + SECONDS[StageName.EXPORT]


def bare(search: Any, epochs: int = 4) -> Outlook:
    """A search after which next to nothing comes."""
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    training = {"epochs": epochs, "final_on": "train"}
    raw = {"name": "x", "data": "digits", "strategy": space, "training": training, "search": search}
    return Outlook.of(parse_job({**raw, "export": {"register": False}, "memory": {"keep": False}}))


def trial(name: str, began: float, epochs: int, seconds: float, is_over: bool = False, **about: Any) -> list[Any]:
    """A trial whose epochs take so many seconds each."""
    end = began + epochs * seconds
    return [
        events.TrialStarted(name, {}, name, epochs=about.pop("of", 4), time=began, **about),
        *(
            events.TrialReported(name, epoch, {"val/accuracy": 0.5}, seconds, time=began + epoch * seconds)
            for epoch in range(1, epochs + 1)
        ),
        *([events.TrialFinished(name, events.TrialStatus.COMPLETED, time=end)] if is_over else []),
    ]


def in_order(*stories: list[Any]) -> list[Any]:
    return sorted((event for story in stories for event in story), key=lambda event: float(event.time))


def left_of(progress: Progress, outlook: Outlook, now: float | None = None) -> TimeLeft:
    found = time_left(progress, outlook, now)
    assert found is not None
    return found


NINE = bare({"scheduler": "none", "budget": {"trials": 1}}, epochs=9)
FOUR = bare({"scheduler": "none", "budget": {"trials": 4}}, epochs=2)
BEGIN = events.ExperimentStarted("x", "x", {}, time=4.0)


def test_before_the_first_epoch_nothing_is_known(fold: Fold) -> None:
    assert time_left(fold(), FOUR) is None
    assert time_left(fold(BEGIN, *trial("t01", 10.0, 0, 2.0)), FOUR) is None


def test_epochs_go_on_at_the_pace_of_those_that_ended(fold: Fold) -> None:
    progress = fold(BEGIN, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2), *trial("t02", 18.0, 1, 4.0, of=2))
    # one epoch of t02, two of t03 and t04 each: five at four seconds, one trial at a time
    assert left_of(progress, FOUR).seconds == pytest.approx(5 * 4.0 + AFTER)


def test_pauses_between_epochs_count(fold: Fold) -> None:
    quick = fold(BEGIN, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2), *trial("t02", 18.0, 1, 4.0, of=2))
    slow = fold(BEGIN, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2), *trial("t02", 38.0, 1, 4.0, of=2))
    assert left_of(slow, FOUR).seconds > left_of(quick, FOUR).seconds


def test_a_slow_start_is_no_slow_epoch(fold: Fold) -> None:
    both = [
        fold(BEGIN, *trial("t01", 10.0, 0, 2.0), events.TrialReported("t01", 1, {"val/accuracy": 0.5}, 2.0, time=at))
        for at in (12.0, 40.0)
    ]
    early, late = (left_of(progress, FOUR).seconds for progress in both)
    # 28 s instead of 6 for the first process, and 6 s of 6 before it: what follows is slower, an epoch is not
    assert late - early == pytest.approx((math.sqrt(28 / 6) - 1) * (AFTER - 0.5))


def test_trials_at_once_share_what_is_left(fold: Fold) -> None:
    one = fold(BEGIN, *trial("t01", 10.0, 2, 4.0, of=2))
    two = fold(BEGIN, *in_order(trial("t01", 10.0, 2, 4.0, of=2), trial("t02", 10.0, 2, 4.0, of=2)))
    assert left_of(two, FOUR).seconds < 0.6 * left_of(one, FOUR).seconds


def test_a_silent_run_takes_longer_than_was_thought(fold: Fold) -> None:
    progress = fold(BEGIN, *trial("t01", 10.0, 1, 4.0, of=2))
    said = [left_of(progress, FOUR, now).seconds for now in (14.0, 20.0, 40.0)]
    assert said == sorted(said)
    assert len(set(said)) == 3


def test_trials_that_came_further_than_expected_change_what_is_expected(fold: Fold) -> None:
    asha = bare({"scheduler": "asha", "budget": {"trials": 9}}, epochs=9)
    few, many = (
        left_of(
            fold(
                BEGIN,
                *in_order(*(trial(f"t0{one}", 10.0 + 2 * epochs * one, epochs, 2.0, True, of=9) for one in range(4))),
                *trial("t08", 10.0 + 8 * epochs, 1, 2.0, of=9),
            ),
            asha,
        )
        for epochs in (1, 9)
    )
    assert many.seconds > 1.3 * few.seconds


def test_the_band_shrinks_as_trials_end(fold: Fold) -> None:
    six = bare({"scheduler": "none", "budget": {"trials": 16}}, epochs=2)
    shares = []
    for ended in (1, 4, 12):
        story = [trial(f"t{one:02}", 10.0 + 4 * one, 2, 2.0, is_over=True, of=2) for one in range(ended)]
        left = left_of(fold(BEGIN, *in_order(*story)), six)
        assert 0 < left.band < left.seconds
        shares.append(left.band / left.seconds)
    assert shares == sorted(shares, reverse=True)


def test_what_follows_the_search_counts(fold: Fold) -> None:
    fitted = outlook({"scheduler": "none", "budget": {"trials": 4}}, epochs=2)
    ready = events.DatasetReady("ab", "x", {"train": 100, "validation": 50, "test": 50}, time=5.0)
    progress = fold(BEGIN, ready, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2))
    apart = left_of(progress, fitted).seconds - left_of(progress, FOUR).seconds
    # two epochs of six seconds on the rows of validation too, registration, and what the task is like
    assert apart == pytest.approx(2 * 6.0 + SECONDS[StageName.FIT] + SECONDS[StageName.REGISTER] - 0.5 + DESCRIBING)


READY = events.DatasetReady("ab", "x", {"train": 100, "validation": 50, "test": 50}, time=5.0)
FOUR_TRIALS = {"scheduler": "none", "budget": {"trials": 4}}
FIT = SECONDS[StageName.FIT]
# Seconds for an answer of a network that takes four for a hundred rows of training.
A_ROW = 4.0 / 100 * FORWARD_SHARE


def test_the_other_members_of_an_ensemble_are_fitted_as_often_as_ensembles_are_kept(fold: Fold) -> None:
    alone, both = outlook(FOUR_TRIALS, epochs=2), outlook(FOUR_TRIALS, epochs=2, fit={"ensemble": 2})
    story = [BEGIN, READY, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2)]
    before, after = left_of(fold(*story), alone), left_of(fold(*story), both)
    # Both candidates are heard on 50 rows in a process of their own; the other is trained for two epochs on 150 rows,
    # and answers for 100.
    heard, other = FIT + 2 * 50 * A_ROW, FIT + 2 * 6.0 + 100 * A_ROW
    assert after.seconds - before.seconds == pytest.approx(heard + chance_of_worth(50) * other)
    assert after.band > before.band


def test_of_too_few_validation_samples_no_ensemble_is_kept(fold: Fold) -> None:
    alone, both = outlook(FOUR_TRIALS, epochs=2), outlook(FOUR_TRIALS, epochs=2, fit={"ensemble": 2})
    ready = events.DatasetReady("ab", "x", {"train": 100, "validation": 10, "test": 50}, time=5.0)
    story = [BEGIN, ready, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2)]
    apart = left_of(fold(*story), both).seconds - left_of(fold(*story), alone).seconds
    assert apart == pytest.approx(FIT + 2 * 10 * A_ROW)


def after_two(*fitting: Any) -> list[Any]:
    """A search of two trials, one of which takes four times as long for an epoch; the quicker one has won."""
    return [
        BEGIN,
        READY,
        events.StageStarted("search", time=8.0),
        *trial("t01", 10.0, 2, 4.0, is_over=True, of=2),
        *trial("t02", 18.0, 2, 16.0, is_over=True, of=2),
        events.SearchEnded("trials", time=50.0),
        events.WinnerChosen("t01", "best", time=50.0),
        events.StageFinished("search", 42.0, time=50.0),
        *fitting,
    ]


def test_once_the_winner_is_known_the_others_take_what_they_have_taken(fold: Fold) -> None:
    both = outlook(FOUR_TRIALS, epochs=2, fit={"ensemble": 2})
    alone = outlook(FOUR_TRIALS, epochs=2)
    story = after_two(events.StageStarted("fit", time=50.0))
    apart = left_of(fold(*story), both).seconds - left_of(fold(*story), alone).seconds
    other = FIT + 2 * 24.0 + 100 * 4 * A_ROW  # its epochs; scoring
    assert apart == pytest.approx(FIT + (1 + 4) * 50 * A_ROW + chance_of_worth(50) * other)


@pytest.mark.parametrize(("is_kept", "left"), [(True, FIT + 2 * 24.0 + 100 * 4 * A_ROW), (False, 0.0)])
def test_once_members_are_chosen_theirs_are_the_fits_that_are_left(fold: Fold, is_kept: bool, left: float) -> None:
    both = outlook(FOUR_TRIALS, epochs=2, fit={"ensemble": 2})
    shares = {"t01": 0.6, "t02": 0.4}
    chosen = events.EnsembleChosen(shares, is_kept, 0.5, 0.5, "because", time=80.0)
    progress = fold(*after_two(events.StageStarted("fit", time=50.0), chosen))
    rest = SECONDS[StageName.EVALUATE] + 100 * A_ROW + SECONDS[StageName.EXPORT] + SECONDS[StageName.REGISTER]
    assert left_of(progress, both).seconds == pytest.approx(left + rest)
    if is_kept:
        assert left_of(progress, both, 90.0).seconds == pytest.approx(left + rest - 10.0)


def test_a_fit_is_cut_where_the_budget_has_no_time_for_it(fold: Fold) -> None:
    """Of a run that was resumed it is not."""
    long = outlook({"scheduler": "none", "budget": {"trials": 2, "minutes": 1}}, epochs=20)
    story = after_two(events.StageStarted("fit", time=50.0))
    # 14 s are left, of which nothing is for a fit of two minutes: weights of the search are copied.
    rest = sum(SECONDS[name] for name in (StageName.EVALUATE, StageName.EXPORT, StageName.REGISTER))
    assert left_of(fold(*story), long).seconds == pytest.approx(SECONDS[StageName.EXPORT] + rest + 100 * A_ROW)
    again = [*story, events.ExperimentStarted("x", "x", {}, time=100.0), events.StageStarted("fit", time=101.0)]
    assert left_of(fold(*again), long).seconds > 20 * 6.0


def test_views_of_test_samples_are_scored_too(fold: Fold) -> None:
    raw = {"name": "x", "data": "digits", "strategy": {"lr": {"loguniform": [1e-4, 1e-1]}}, "search": FOUR_TRIALS}
    one, two = (Outlook.of(parse_job({**raw, "export": {"tta": views}})) for views in (1, 2))
    progress = fold(BEGIN, READY, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2))
    assert left_of(progress, two).seconds - left_of(progress, one).seconds == pytest.approx(50 * A_ROW)


def test_finalists_that_are_scored_by_folds_take_their_time(fold: Fold) -> None:
    folds = {"folds": 3, "top": 2}
    plain, final = (bare({**FOUR_TRIALS, "evaluation": one}, epochs=2) for one in ({}, folds))
    # Beside its own model, two folds of one finalist, two epochs on 150 rows each.
    each = FIT + 2 * 2 * 6.0
    story = [BEGIN, READY, *trial("t01", 10.0, 2, 4.0, is_over=True, of=2)]
    apart = left_of(fold(*story), final).seconds - left_of(fold(*story), plain).seconds
    assert apart == pytest.approx(2 * each)
    story += [*trial("t02", 18.0, 2, 4.0, is_over=True, of=2), events.SearchEnded("trials", time=26.0)]
    story.append(events.TrialEstimated("t01", {"accuracy": 0.5}, 20.0, time=50.0))
    apart = left_of(fold(*story), final).seconds - left_of(fold(*story), plain).seconds
    assert apart == pytest.approx(each)


def test_what_is_computed_of_the_data_makes_no_slow_machine(fold: Fold) -> None:
    """Scores of backbones take a minute before the first trial: they are no sign of a process that starts slowly."""

    def story(late: float) -> list[Any]:
        return [
            BEGIN,
            events.StageStarted("search", time=5.0),
            events.PhaseStarted(0, "none", "meta", 4, time=5.0),
            events.BackbonesScreened({"logme": {"a": 1.0, "b": 2.0}}, late, "a is better", time=5.0 + late),
            *trial("t01", 10.0 + late, 1, 4.0, of=2),
        ]

    quick, screened = (left_of(fold(*story(late)), FOUR) for late in (0.0, 60.0))
    assert screened == quick


def test_others_that_take_the_machine_widen_the_band(fold: Fold) -> None:
    def band_of(times: list[float]) -> float:
        story = [events.TrialReported("t01", n, {"val/accuracy": 0.5}, 1.0, time=at) for n, at in enumerate(times, 1)]
        return left_of(fold(BEGIN, events.TrialStarted("t01", {}, "t01", epochs=9, time=10.0), *story), NINE).band

    steady, slowing = [11.0, 12.0, 13.0, 14.0, 15.0, 16.0], [11.0, 12.0, 13.0, 14.0, 17.0, 20.0]
    assert band_of(slowing) > 1.2 * band_of(steady)
    assert band_of([at + 30 for at in steady]) > 1.2 * band_of(steady)


def test_on_a_machine_that_starts_slowly_everything_is_slow(fold: Fold) -> None:
    quick, slow = (fold(BEGIN, *trial("t01", 10.0 + late, 1, 4.0, of=2)) for late in (0.0, 12.0))
    assert left_of(slow, FOUR).seconds - left_of(quick, FOUR).seconds == pytest.approx(2 * (AFTER - 0.5))


def test_after_the_search_the_stages_count_down(fold: Fold) -> None:
    story = [
        BEGIN,
        events.StageStarted("search", time=8.0),
        *trial("t01", 10.0, 2, 4.0, is_over=True, of=2),
        events.SearchEnded("trials", time=18.0),
        events.StageFinished("search", 10.0, time=18.0),
    ]
    whole = left_of(fold(*story), FOUR).seconds
    assert whole == pytest.approx(AFTER)
    story += [events.StageStarted("fit", time=18.0), events.StageFinished("fit", 0.1, time=18.1)]
    scoring = fold(*story, events.StageStarted("evaluate", time=18.1))
    assert left_of(scoring, FOUR).seconds == pytest.approx(AFTER - 0.5)
    assert left_of(scoring, FOUR, 18.6).seconds == pytest.approx(AFTER - 1.0)
    # It should have been over long ago: it will take a while yet, and nobody knows how long.
    late = left_of(scoring, FOUR, 118.1)
    assert late.seconds == pytest.approx(60.0 + SECONDS[StageName.EXPORT])
    assert late.holds(0.0) or late.seconds - late.band < 1
    assert late.holds(118.0)


def test_phases_count_each_for_itself(fold: Fold) -> None:
    both = bare([{"scheduler": "none", "trials": 2}, {"scheduler": "pbt", "population": 2, "from": "top"}])
    first = [events.PhaseStarted(0, "none", "random", 2, time=9.0), *trial("t01", 10.0, 2, 2.0, is_over=True, of=2)]
    # t02, and the population from epoch 2 to 4
    assert left_of(fold(BEGIN, *first), both).seconds == pytest.approx((2 + 2 * 2) * 2.0 + AFTER)
    second = [
        events.PhaseFinished(0, 1, 0.6, "t01", 9.0, time=14.0),  # one trial of two: the phase ended early
        events.TrialStarted("t03", {}, "t03", phase=1, epochs=4, start=("t01", 0, 2), time=14.0),
        events.TrialReported("t03", 3, {"val/accuracy": 0.7}, 2.0, time=16.0),
    ]
    assert left_of(fold(BEGIN, *first, *second), both).seconds == pytest.approx((2 + 1) * 2.0 + AFTER)


def test_a_deadline_ends_the_search_when_it_has_just_enough_for_what_follows(fold: Fold) -> None:
    progress = fold(BEGIN, *trial("t01", 10.0, 1, 54.0))  # a minute has passed
    reserved = WORKER_SECONDS + SECONDS[StageName.EVALUATE] + SECONDS[StageName.EXPORT]
    short = left_of(progress, bare({"scheduler": "none", "budget": {"trials": 2, "minutes": 3}}))
    assert (short.seconds, short.band) == (120.0 - reserved + AFTER, pytest.approx(0.05 * 180 + 2, rel=0.1))
    long = left_of(progress, bare({"scheduler": "none", "budget": {"trials": 2, "minutes": 30}}))
    assert long.seconds == pytest.approx(7 * 54.0 + AFTER)
    unlimited = left_of(progress, bare({"scheduler": "none", "budget": {"minutes": 30}}))
    assert unlimited.seconds == 29 * 60.0 - reserved + AFTER


def test_members_that_the_budget_has_no_time_for_are_not_fitted(fold: Fold) -> None:
    """What a search keeps for the rest of its run is the fit of one."""
    ready = events.DatasetReady("ab", "x", {"train": 100, "validation": 50, "test": 250}, time=5.0)
    progress = fold(BEGIN, ready, *trial("t01", 10.0, 1, 10.0))
    one, three = (
        outlook({"scheduler": "none", "budget": {"minutes": 10}}, epochs=9, fit={"ensemble": members})
        for members in ("off", 3)
    )
    scored = (50 + 250) * 0.05 / 0.5 * FORWARD_SHARE
    after = FIT + 9 * 15.0 + SECONDS[StageName.EVALUATE] + SECONDS[StageName.EXPORT] + SECONDS[StageName.REGISTER]
    each = ROOM * 0.05 / 0.5 * FORWARD_SHARE
    rest = sum(SECONDS[name] for name in SECONDS if name != StageName.FIT) + DESCRIBING
    reserved = WORKER_SECONDS + 9 * 15.0 + (50 + 250) * each + rest
    assert left_of(progress, one).seconds == pytest.approx(584.0 - reserved + after + scored + DESCRIBING)
    # of the two others nothing is known yet for which time could be kept: they have the time that there is
    assert left_of(progress, three).seconds == pytest.approx(584.0)


def test_what_is_overdue_still_has_to_be_scored(fold: Fold) -> None:
    progress = fold(BEGIN, *trial("t01", 10.0, 1, 500.0))
    left = left_of(progress, bare({"scheduler": "none", "budget": {"minutes": 1}}))
    assert left.seconds == pytest.approx(SECONDS[StageName.EVALUATE] + SECONDS[StageName.EXPORT])


def test_a_band_holds_what_is_in_it() -> None:
    left = TimeLeft(80.0, 20.0)
    assert [left.holds(truth) for truth in (59.0, 60.0, 80.0, 100.0, 101.0)] == [False, True, True, True, False]
