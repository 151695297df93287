"""The search stage, played on learning curves: phase after phase, also after a break at any moment."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graft.core.clock import SystemClock
from graft.core.errors import Interrupted, TrialError
from graft.core.storage import Home, write_json
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import Event, SearchEnded
from graft.journal.journal import Journal, read
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.prior import Basis, Expected, Prior
from graft.pipeline.stages.search import SearchStage
from graft.search.protocol import Proposal
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.workers.allocation import Allocation

SPACE = {"lr": {"loguniform": [1e-3, 1e-1]}}
EXPLORE_THEN_EVOLVE = [
    {"scheduler": "none", "trials": 4},
    {"scheduler": "pbt", "population": 3, "from": "top"},
]


def job_of(search: Any, **sections: Any) -> Job:
    raw = {"name": "x", "data": "digits", "strategy": SPACE, "training": {"epochs": 6}, "search": search}
    return parse_job(raw | sections)


def better_with_a_higher_rate(proposal: Proposal, epoch: int) -> float:
    return min(0.99, proposal.strategy.lr * 3 + epoch / 100)


class Runs:
    """The runs of one experiment."""

    def __init__(self, home: Path, training_data: TrainingData, job: Job) -> None:
        self.experiment = Experiment.create(Home(home), job)
        self._job, self._training_data = job, training_data

    def run(
        self,
        end: Callable[[Progress], SearchEnded | None] = lambda progress: None,
        phase_seconds: Callable[[int], float | None] = lambda phase: None,
        recommend: Callable[[Any], events.RecommendationsMade | None] = lambda phase: None,
        slots: int = 2,
    ) -> SearchEnded:
        metric = self._job.objective
        progress, history = Progress(metric, self._job.training.epochs), SearchHistory(metric)
        for event in self.told():
            progress.apply(event)
            history.apply(event)
        with Journal(self.experiment.journal_file) as journal:
            journal.subscribe(progress.apply)
            return SearchStage(
                experiment=self.experiment,
                job=self._job,
                journal=journal,
                progress=progress,
                clock=SystemClock(),
                allocation=Allocation(cpus=1, gpus=0, concurrent=slots),
                factory=SupervisedFactory(self._training_data),
                history=history,
                end_of_search=lambda: end(progress),
                phase_seconds=phase_seconds,
                recommend=recommend,
            ).run()

    def told(self, kind: type[Event] = Event) -> list[Any]:
        if not self.experiment.journal_file.exists():
            return []
        return [event for _, event in read(self.experiment.journal_file) if isinstance(event, kind)]

    def begun(self) -> dict[str, events.TrialStarted]:
        """The first record of each trial."""
        found: dict[str, events.TrialStarted] = {}
        for event in self.told(events.TrialStarted):
            found.setdefault(event.trial, event)
        return found

    def reports(self) -> list[tuple[str, int]]:
        return [(event.trial, event.epoch) for event in self.told(events.TrialReported)]

    def copies(self) -> list[tuple[str, str, int, float]]:
        return [(one.trial, one.donor, one.epoch, one.strategy["lr"]) for one in self.told(events.TrialExploited)]


@pytest.fixture
def make(home: Path, training_data: TrainingData) -> Callable[..., Runs]:
    return lambda search, **sections: Runs(home, training_data, job_of(search, **sections))


def test_one_phase_ends_when_its_trials_have(make: Any, curve_search: Any) -> None:
    search = curve_search(better_with_a_higher_rate)
    runs = make({"scheduler": "none", "budget": {"trials": 3}})
    ended = runs.run()
    assert (ended.by, ended.detail) == ("trials", "3 trials have ended")
    assert runs.told(SearchEnded) == [runs.told()[-1]]
    assert sorted(runs.reports()) == [(f"t0{n}", epoch) for n in (1, 2, 3) for epoch in range(1, 7)]
    (execution,) = search.executions
    assert (execution.resources, execution.slots) == ({"CPU": 1, "GPU": 0}, 2)


def test_a_space_that_is_used_up_says_so(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make({"scheduler": "none", "budget": {"trials": 9}}, strategy={"lr": {"choice": [0.1, 0.01]}})
    ended = runs.run()
    assert (ended.by, ended.detail) == ("space", "2 trials; the space holds no more strategies")


def test_phases_follow_each_other_and_the_second_goes_on_from_the_best(make: Any, curve_search: Any) -> None:
    search = curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)
    runs.run()
    assert [(one.phase, one.scheduler, one.epochs) for one in runs.told(events.PhaseStarted)] == [
        (0, "none", 3),
        (1, "pbt", 6),
    ]
    begun = runs.begun()
    assert list(begun) == ["t01", "t02", "t03", "t04", "t05", "t06", "t07"]
    ranked = sorted(list(begun)[:4], key=lambda name: -begun[name].strategy["lr"])
    survivors = [begun[name] for name in ("t05", "t06", "t07")]
    assert [one.start for one in survivors] == [(name, 0, 3) for name in ranked[:3]]
    assert [one.strategy for one in survivors] == [begun[name].strategy for name in ranked[:3]]
    assert {(one.phase, one.epochs) for one in survivors} == {(1, 6)}
    assert {epoch for name, epoch in runs.reports() if name in ("t05", "t06", "t07")} == {4, 5, 6}
    assert len(runs.copies()) == 2  # at epochs 4 and 5; the last one is never compared
    assert [execution.name.split("-")[1] for execution in search.executions] == ["1", "2"]


def test_a_phase_says_what_it_has_found(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)
    runs.run()
    first, second = runs.told(events.PhaseFinished)
    best = max(one.strategy["lr"] for name, one in runs.begun().items() if name <= "t04")
    assert (first.trials, first.best, first.seconds >= 0) == (4, pytest.approx(best * 3 + 0.03), True)
    assert (second.phase, second.trials) == (1, 3)


def test_only_the_weights_that_are_asked_for_are_left(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)
    runs.run()
    left = sorted(path.relative_to(runs.experiment.checkpoints) for path in runs.experiment.checkpoints.glob("*/*"))
    bests = [path for path in left if path.name == "best.safetensors"]
    assert len(bests) == 2
    assert {path.parent.name for path in left if path not in bests} == {"t01", "t02", "t03", "t04"}


def test_a_target_ends_the_search_in_the_phase_where_it_is_reached(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)

    def target(progress: Progress) -> SearchEnded | None:
        return SearchEnded("target", "reached") if len(progress.trials) >= 2 else None

    assert runs.run(target).by == "target"
    assert [one.phase for one in runs.told(events.PhaseStarted)] == [0]
    assert runs.told(events.PhaseFinished) == []
    assert {str(one.status) for one in runs.told(events.TrialFinished)} == {"interrupted"}


def test_an_interrupt_is_raised_and_the_trials_can_go_on(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)
    with pytest.raises(Interrupted):
        runs.run(lambda progress: SearchEnded("interrupt") if len(progress.trials) >= 2 else None)
    assert runs.told(SearchEnded) == []
    assert runs.run().by == "trials"
    assert len(runs.begun()) == 7


def test_a_phase_that_has_had_its_time_makes_room_for_the_next(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make([{"scheduler": "none", "trials": 4}, {"scheduler": "none", "trials": 2}])
    ended = runs.run(phase_seconds=lambda phase: 0.0 if phase == 0 else None)
    assert ended.by == "trials"
    assert [one.phase for one in runs.told(events.PhaseFinished)] == [0, 1]
    reached = {name for name, _ in runs.reports()}
    assert reached == {name for name, one in runs.begun().items() if one.phase == 1}


def test_a_phase_without_survivors_says_what_to_do(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(EXPLORE_THEN_EVOLVE)
    with pytest.raises(
        TrialError, match=r"no trial of phase 1 came to its end, epoch 3, so phase 2 has nothing"
    ) as told:
        runs.run(phase_seconds=lambda phase: 0.0 if phase == 0 else None)
    assert "\n" not in str(told.value)


def test_survivors_of_another_architecture_are_not_in_the_population(make: Any, curve_search: Any) -> None:
    space = SPACE | {"head": {"choice": ["linear", {"kind": "mlp", "width": 8}]}}
    curve_search(lambda proposal, epoch: (0.5 if proposal.strategy.head.kind == "mlp" else 0.1) + epoch / 100)
    evolve = {"scheduler": "pbt", "population": 4, "from": "top"}
    runs = make([{"scheduler": "none", "trials": 4}, evolve], strategy=space)
    runs.run()
    begun = runs.begun()
    assert {one.strategy["head"]["kind"] for one in begun.values() if one.phase == 0} == {"linear", "mlp"}
    assert {one.strategy["head"]["kind"] for one in begun.values() if one.phase == 1} == {"mlp"}


def test_a_population_is_filled_with_variations_when_few_survive(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make([{"scheduler": "none", "trials": 1}, EXPLORE_THEN_EVOLVE[1]])
    runs.run()
    members = [one for one in runs.begun().values() if one.phase == 1]
    assert [one.start for one in members] == [("t01", 0, 3)] * 3
    rates = [one.strategy["lr"] for one in members]
    assert rates[0] == runs.begun()["t01"].strategy["lr"]
    assert len(set(rates)) > 1


@pytest.fixture
def whole(make: Any, curve_search: Any) -> Runs:
    curve_search(better_with_a_higher_rate)
    runs: Runs = make(EXPLORE_THEN_EVOLVE)
    runs.run()
    return runs


@pytest.mark.parametrize("epochs", [1, 2, 5, 9, 12, 13, 14, 16, 18, 21])
def test_a_search_whose_process_died_ends_like_one_that_did_not(
    whole: Runs, make: Any, curve_search: Any, epochs: int
) -> None:
    dying = curve_search(better_with_a_higher_rate, dies_after=epochs)
    broken = make(EXPLORE_THEN_EVOLVE)
    with pytest.raises(dying.Killed):
        broken.run()
    curve_search(better_with_a_higher_rate)
    assert broken.run().by == "trials"
    assert {name: (one.strategy, one.start) for name, one in broken.begun().items()} == {
        name: (one.strategy, one.start) for name, one in whole.begun().items()
    }
    assert sorted(broken.reports()) == sorted(whole.reports())  # none lost, none counted twice
    assert sorted(broken.copies()) == sorted(whole.copies())
    ends = [one.trial for one in broken.told(events.TrialFinished)]
    assert sorted(ends) == sorted(whole.begun())


def test_a_finished_phase_is_not_run_again(make: Any, curve_search: Any) -> None:
    dying = curve_search(better_with_a_higher_rate, dies_after=14)  # twelve epochs of the first phase
    runs = make(EXPLORE_THEN_EVOLVE)
    with pytest.raises(dying.Killed):
        runs.run()
    again = curve_search(better_with_a_higher_rate)
    runs.run()
    assert [execution.name.split("-")[1] for execution in again.executions] == ["2"]
    assert {name for name, _, _ in again.trained} <= {"t05", "t06", "t07"}


SCHEDULE = Schedule(
    (Stretch(0, 1, Strategy(lr=0.1)), Stretch(1, 2, Strategy(lr=0.02)), Stretch(2, 3, Strategy(lr=0.3)))
)


@pytest.mark.parametrize("dies_after", [0, 2, 3, 5])
def test_a_schedule_is_replayed_instead_of_a_search(make: Any, curve_search: Any, dies_after: int) -> None:
    runs = make({"scheduler": "none", "budget": {"trials": 1}}, strategy={"lr": 0.3})
    write_json(runs.experiment.replay_file, SCHEDULE.to_dict())
    under: dict[int, float] = {}
    note = lambda proposal, epoch: under.update({epoch: proposal.strategy.lr})  # noqa: E731
    if dies_after:
        dying = curve_search(better_with_a_higher_rate, dies_after=dies_after, on_epoch=note)
        with pytest.raises(dying.Killed):
            runs.run()
    curve_search(better_with_a_higher_rate, on_epoch=note)
    runs.run()
    assert {one.scheduler for one in runs.told(events.PhaseStarted)} == {"replay"}
    assert list(runs.begun()) == ["t01"]
    assert runs.reports() == [("t01", epoch) for epoch in range(1, 7)]
    assert under == {1: 0.1, 2: 0.1, 3: 0.02, 4: 0.02, 5: 0.3, 6: 0.3}  # three epochs stretched to six
    assert runs.copies() == [("t01", "t01", 2, 0.02), ("t01", "t01", 4, 0.3)]


RATES = {"lr": {"choice": [0.001, 0.003, 0.01, 0.03, 0.1]}}


def told_of(rates: list[float], heads: tuple[Expected, ...] = ()) -> Callable[[Any], events.RecommendationsMade]:
    """A memory in which the first of the rates has done best, and solved heads are wanted in their order."""
    expected = tuple(
        Expected(candidate_of(Strategy(lr=rate)).strategy_json, -float(place), 0.3, reason=f"because {rate}")
        for place, rate in enumerate(rates)
    )
    prior = Prior(expected, tuple(range(len(rates))), Basis.PRIOR, 4, 1.0, heads)
    return lambda phase: events.RecommendationsMade(phase.index, prior.to_dict(), "told")


def test_what_earlier_tasks_want_is_journaled_and_tried_first_with_its_reason(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make({"scheduler": "none", "searcher": "meta", "budget": {"trials": 3}}, strategy=RATES)
    runs.run(recommend=told_of([0.1, 0.03, 0.01]))
    assert [one.told for one in runs.told(events.RecommendationsMade)] == ["told"]
    begun = runs.begun()
    assert [(one.strategy["lr"], one.recommended) for one in begun.values()] == [
        (0.1, "because 0.1"),
        (0.03, "because 0.03"),
        (0.01, "because 0.01"),
    ]


HEADS = [{"head": "ridge", "freeze": 1.0, "resolution": side} for side in (32, 64)]
TRIED_FIRST = [HEADS[0], {"lr": 0.1}, HEADS[1]]


def large_before_small() -> tuple[Expected, ...]:
    wanted = [candidate_of(Strategy.model_validate(one)).strategy_json for one in reversed(HEADS)]
    return tuple(Expected(one, 0.0, 0.3, reason=f"head {place}") for place, one in enumerate(wanted))


def begun_of(runs: Runs) -> list[tuple[int | None, float, str]]:
    return [(one.strategy.get("resolution"), one.strategy["lr"], one.recommended) for one in runs.begun().values()]


def test_heads_that_are_solved_one_by_one_come_in_the_order_of_earlier_tasks_around_the_trainings(
    make: Any, curve_search: Any
) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(
        {"scheduler": "none", "searcher": "meta", "budget": {"trials": 4}, "first": TRIED_FIRST}, strategy=RATES
    )
    runs.run(recommend=told_of([0.1, 0.03], large_before_small()), slots=1)
    assert begun_of(runs) == [
        (64, 0.001, "head 0"),
        (None, 0.1, ""),
        (32, 0.001, "head 1"),
        (None, 0.03, "because 0.03"),
    ]


def test_heads_that_are_solved_side_by_side_do_not_wait_for_the_memory(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(
        {"scheduler": "none", "searcher": "meta", "budget": {"trials": 5}, "first": TRIED_FIRST}, strategy=RATES
    )
    runs.run(recommend=told_of([0.1, 0.03, 0.01], large_before_small()))
    assert begun_of(runs) == [
        (32, 0.001, ""),
        (None, 0.1, ""),
        (64, 0.001, ""),
        (None, 0.03, "because 0.03"),
        (None, 0.01, "because 0.01"),
    ]
    kinds = (events.TrialStarted, events.RecommendationsMade)
    order = [type(event).__name__ for event in runs.told() if isinstance(event, kinds)]
    assert order == [*["TrialStarted"] * 3, "RecommendationsMade", *["TrialStarted"] * 2]


@pytest.mark.parametrize(("begun", "slots", "told"), [(1, 2, "again"), (4, 2, "told"), (1, 1, "told")])
def test_a_search_that_goes_on_asks_the_memory_unless_something_was_drawn(
    make: Any, curve_search: Any, begun: int, slots: int, told: str
) -> None:
    curve_search(better_with_a_higher_rate)
    runs = make(
        {"scheduler": "none", "searcher": "meta", "budget": {"trials": 5}, "first": TRIED_FIRST}, strategy=RATES
    )

    def end(progress: Progress) -> SearchEnded | None:
        reported = [trial for trial in progress.trials.values() if trial.best_epoch]
        return SearchEnded("interrupt") if len(reported) >= begun else None

    with pytest.raises(Interrupted):
        runs.run(end, recommend=told_of([0.1, 0.03, 0.01], large_before_small()), slots=slots)
    curve_search(better_with_a_higher_rate)
    later = told_of([0.1, 0.003, 0.01])
    runs.run(recommend=lambda phase: replace(later(phase), told="again"), slots=slots)
    assert [one.told for one in runs.told(events.RecommendationsMade)] == [told]
    assert len(runs.begun()) == 5


def test_a_search_that_goes_on_is_told_what_it_was_told(make: Any, curve_search: Any) -> None:
    job = {"scheduler": "none", "searcher": "meta", "budget": {"trials": 4}}
    curve_search(better_with_a_higher_rate)
    whole = make(job, strategy=RATES)
    whole.run(recommend=told_of([0.1, 0.03, 0.01, 0.003]))

    broken = make(job, strategy=RATES)
    curve_search(better_with_a_higher_rate)

    def after_two(progress: Progress) -> SearchEnded | None:
        return SearchEnded("interrupt") if len(progress.trials) >= 2 and progress.pace.reported >= 3 else None

    with pytest.raises(Interrupted):
        broken.run(after_two, recommend=told_of([0.1, 0.03, 0.01, 0.003]))
    curve_search(better_with_a_higher_rate)
    broken.run(recommend=told_of([0.001, 0.003]))
    assert len(broken.told(events.RecommendationsMade)) == 1
    rates = [[one.strategy["lr"] for one in runs.begun().values()] for runs in (broken, whole)]
    assert rates[0] == rates[1]


def test_without_a_memory_the_trials_are_those_of_random_search(make: Any, curve_search: Any) -> None:
    curve_search(better_with_a_higher_rate)
    begun = []
    for searcher in ("meta", "random"):
        runs = make({"scheduler": "none", "searcher": searcher, "budget": {"trials": 4}})
        runs.run()
        begun.append([one.strategy for one in runs.begun().values()])
        assert not runs.told(events.RecommendationsMade)
    assert begun[0] == begun[1]
