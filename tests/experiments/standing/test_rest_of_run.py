"""What a run keeps for what follows its search."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from graft.experiments.progress import Progress
from graft.experiments.stages import StageName
from graft.experiments.standing.after_search import AfterSearch
from graft.experiments.standing.rest_of_run import DESCRIBING, MEMBERS_IN_TIME, SECONDS, RestOfRun
from graft.experiments.standing.scoring import FORWARD_SHARE, ROOM, seconds_to_score
from graft.journal import events
from graft.search.outlook import Outlook
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

Fold = Callable[..., Progress]
SAMPLES = {"train": 100, "validation": 50, "test": 250}
READY = events.DatasetReady("ab", "x", SAMPLES, time=5.0)
EACH = 5.0 / 100 * FORWARD_SHARE


def rest(progress: Progress, minutes: float | None = None, ensemble: Any = 3, **more: Any) -> RestOfRun:
    raw = {"epochs": 4, "fit": {"ensemble": ensemble}}
    budget = {"trials": 9} if minutes is None else {"minutes": minutes}
    job = parse_job({"name": "x", "data": "digits", "training": raw, "search": {"budget": budget}})
    return RestOfRun(progress, Outlook.of(job), SAMPLES, 1.5, **more)


def test_it_knows_more_with_every_trial_and_when_members_are_chosen(fold: Fold, trials: Any) -> None:
    one, two = (trials.of(name, [score] * 4, seconds=5.0) for name, score in (("t01", 0.9), ("t02", 0.8)))
    kept = [rest(fold(READY, *story)).reserve().evaluation for story in ((), one, (*one, *two))]
    alone, heard = (250 + 50) * EACH * ROOM / 1.5, 50 * EACH * ROOM / 1.5
    assert kept == pytest.approx([0.0, alone, 2 * alone + 2 * heard])
    begun = events.StageStarted(StageName.FIT, time=60.0)
    chosen = [
        events.EnsembleChosen(shares, bool(shares), 0.9, 0.8, "", time=70.0)
        for shares in ({}, {"t01": 0.5, "t02": 0.5})
    ]
    after = [rest(fold(READY, *one, *two, begun, event)).reserve() for event in chosen]
    assert [found.evaluation for found in after] == pytest.approx([alone, 2 * alone])
    around = sum(SECONDS[name] for name in SECONDS if name != StageName.FIT)
    assert after[0].rest == around
    assert rest(fold(READY, *one)).reserve().rest == around + SECONDS[StageName.FIT] + DESCRIBING


def test_a_plan_counts_candidates_that_are_to_come(fold: Fold, trials: Any) -> None:
    progress = fold(READY, *trials.of("t01", [0.9] * 4, seconds=5.0))
    planned = rest(progress, candidates=12).reserve().evaluation
    assert planned == pytest.approx((3 * 300 + 12 * 50) * EACH * ROOM / 1.5)
    assert rest(progress, ensemble="off", candidates=12).reserve() == rest(progress, ensemble="off").reserve()


def test_time_is_kept_for_three_members_however_many_there_may_be(fold: Fold, trials: Any) -> None:
    progress = fold(READY, *trials.of("t01", [0.9] * 4, seconds=5.0))
    three, five = (rest(progress, ensemble=most, candidates=12) for most in (MEMBERS_IN_TIME, 5))
    assert (five.reserve(), five.scored()) == (three.reserve(), three.scored())
    assert five.members_within(1e6) == 5
    assert rest(progress, ensemble=2, candidates=12).scored() < three.scored()


def test_the_fit_of_whoever_runs_may_be_needed(fold: Fold, trials: Any) -> None:
    best, runs = trials.of("t01", [0.9] * 4, seconds=1.0), trials.of("t02", [0.5], None, seconds=50.0)
    found = rest(fold(READY, *best, *runs))
    more = found.needed_by_any() - found.needed()
    assert more == pytest.approx(4 * (50.0 - 1.0) * found.fit_scale)


def test_as_many_members_as_there_is_time_to_score(fold: Fold, trials: Any) -> None:
    stories = [trials.of(f"t0{one}", [1 - one / 10] * 4, seconds=5.0) for one in range(1, 5)]
    found = rest(fold(READY, *(event for story in stories for event in story)))
    alone, heard = 300 * EACH * ROOM / 1.5, 4 * 50 * EACH * ROOM / 1.5
    times = [0.0, heard + 1.5 * alone, heard + 2.5 * alone, heard + 9 * alone]
    assert [found.members_within(seconds) for seconds in times] == [1, 1, 2, 3]


def test_a_slow_machine_starts_processes_slowly_but_still_trains(fold: Fold, trials: Any) -> None:
    began, started = events.ExperimentStarted("x", "x", {}, {}, time=1.0), trials.started("t01", time=61.0)
    unscored = fold(began, started)  # ten times as slow
    slow_story = (began, started, events.TrialReported("t01", 1, {"val/accuracy": 0.5}, 5.0, time=66.0))
    slow = fold(*slow_story)
    unlimited, hour, minute = (rest(slow, minutes).reserve() for minutes in (None, 60, 2))
    idle = rest(unscored).reserve()
    assert unlimited.worker + unlimited.rest == pytest.approx(10 * (idle.worker + idle.rest))
    assert hour == unlimited
    assert minute.worker + minute.rest == pytest.approx(0.3 * 120)
    described = rest(fold(*slow_story, events.StageStarted(StageName.FIT, time=70.0)), 2).reserve()
    assert minute.rest - described.rest == pytest.approx(DESCRIBING / idle.worker * minute.worker)


@pytest.mark.parametrize(
    ("other", "passes"),
    [
        ({}, 30.0),
        ({"structure": {"keep": 0.5, "pool": "avg"}}, 30.0),
        ({"freeze": 0.5, "head": {"kind": "linear"}}, 30.0),
        ({"resolution": 96}, 40.0),
        ({"precision": "bf16"}, 40.0),
        ({"structure": {"widen": 2.0}}, 40.0),
        ({"init": {"kind": "mapped", "source": "timm:resnet18"}}, 40.0),
    ],
)
def test_frozen_blocks_that_members_have_in_common_are_gone_through_once(
    fold: Fold, trials: Any, other: dict[str, Any], passes: float
) -> None:
    def story(name: str, score: float, passed: float, **fields: Any) -> list[Any]:
        solved = {"freeze": 1.0, "head": {"kind": "ridge"}, "resolution": 64, **fields}
        events_of = trials.of(name, [score] * 4, seconds=5.0)
        strategy = Strategy.model_validate(solved).model_dump(mode="json")
        first = replace(events_of[1], metrics={**events_of[1].metrics, "cache/pass_seconds": passed})
        return [replace(events_of[0], strategy=strategy), first, *events_of[2:]]

    events_of = [READY, *story("t01", 0.9, 30.0), *story("t02", 0.8, 10.0, **other)]
    chosen = events.EnsembleChosen({"t01": 0.5, "t02": 0.5}, True, 0.9, 0.8, "", time=70.0)
    above = EACH if "freeze" in other else 0.0
    searching, found = rest(fold(*events_of)), rest(fold(*events_of, chosen))
    a_row = above + passes / 150
    assert found.reserve().evaluation == pytest.approx(300 * a_row * ROOM / 1.5)
    apart = passes if above == 0 else 40.0  # who was trained is heard by itself
    heard = 50 * (above + apart / 150) * ROOM / 1.5
    assert searching.reserve().evaluation == pytest.approx(300 * a_row * ROOM / 1.5 + heard)


def test_features_that_another_has_stored_cost_what_they_cost_at_that_size(fold: Fold, trials: Any) -> None:
    def story(name: str, side: int, **cache: float) -> list[Any]:
        strategy = Strategy(lr=0.01, resolution=side).model_dump(mode="json")
        started, first = trials.of(name, [0.5], None, seconds=5.0)
        metrics = {**first.metrics, **{f"cache/{key}": value for key, value in cache.items()}}
        return [replace(started, strategy=strategy), replace(first, metrics=metrics)]

    small, large = story("t01", 64, pass_seconds=3.0), story("t02", 128, pass_seconds=30.0)
    reads = [*story("t03", 64, hits=2.0), *story("t04", 96, hits=2.0)]
    progress = fold(READY, *small, *large, *reads)
    of_like, of_none = (seconds_to_score([progress.trials[name]], progress, SAMPLES) for name in ("t03", "t04"))
    assert of_like == pytest.approx(EACH + 3.0 / 150)
    assert of_none == pytest.approx(EACH + 30.0 / 150)


def test_the_display_keeps_what_the_clock_keeps(fold: Fold, trials: Any) -> None:
    plan = events.PlanMade({"share": {"concurrent": 2}}, "", 1.0, 0.0, time=2.0)
    progress = fold(READY, plan, *trials.of("t01", [0.9] * 4, seconds=5.0))
    found = rest(progress)
    assert AfterSearch(progress, found.outlook).reserved() == found.needed()
