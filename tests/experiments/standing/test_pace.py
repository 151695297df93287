"""What the start of a run took, and when its epochs have ended."""

from collections.abc import Callable

from graft.experiments.progress import Progress
from graft.experiments.standing.pace import Pace
from graft.journal import events


def pace_of(*story: events.Event) -> Pace:
    pace = Pace(100.0)
    for event in story:
        pace.apply(event)
    return pace


INGEST = events.StageFinished("ingest", 30.0, time=132.0)
SEARCH = events.StageStarted("search", time=132.0)
PHASE = events.PhaseStarted(0, "none", "meta", 4, time=140.0)
SCREENED = events.BackbonesScreened({}, 20.0, "scored", time=160.0)
TOLD = events.RecommendationsMade(0, {}, "three", time=161.0)
STARTED = events.TrialStarted("t01", {}, "t01", time=163.0)


def reported(epoch: int, time: float, **metrics: float) -> events.Event:
    return events.TrialReported("t01", epoch, {"val/accuracy": 0.5, **metrics}, 4.0, time=time)


def test_the_start_is_what_nothing_was_computed_in() -> None:
    assert pace_of().start_up is None
    # Two seconds before ingest has ended, two between what was told and the first trial.
    assert pace_of(INGEST, SEARCH, PHASE, SCREENED, TOLD, STARTED).start_up == 4.0
    later = events.TrialStarted("t02", {}, "t02", time=900.0)
    assert pace_of(INGEST, SEARCH, PHASE, SCREENED, TOLD, STARTED, later).start_up == 4.0


def test_a_run_that_goes_on_has_a_pace_of_its_own(fold: Callable[..., Progress]) -> None:
    begin, again = (events.ExperimentStarted("x", "x", {}, time=time) for time in (100.0, 500.0))
    skipped = events.StageSkipped("ingest", time=501.0)
    search = events.StageStarted("search", time=502.0)
    phase = events.PhaseStarted(0, "none", "meta", 4, time=503.0)
    story = [begin, INGEST, SEARCH, PHASE, STARTED, reported(1, 170.0), again, skipped, search, phase]
    pace = fold(*story, events.TrialStarted("t01", {}, "t01", time=505.0)).pace
    assert (pace.start_up, pace.reported, pace.trained_since, pace.first_wait) == (4.0, 0, None, None)


def test_the_first_epoch_tells_how_long_its_process_took_to_start() -> None:
    first = reported(1, 180.0, **{"cache/pass_seconds": 3.0})
    pace = pace_of(STARTED, first, reported(2, 184.0))
    assert pace.first_wait == 180.0 - 163.0 - 4.0 - 3.0
    assert (pace.trained_since, pace.reported_at, pace.reported) == (176.0, [180.0, 184.0], 2)
