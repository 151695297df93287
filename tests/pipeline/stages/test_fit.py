"""The fit stage decides what is trained, by whom, and which weights are taken; what runs elsewhere is only recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graft.core.heartbeat import Board, FolderBoard, Pulse
from graft.core.process_identity import Machine
from graft.core.storage import Home
from graft.data.dataset import Dataset, Split
from graft.experiments.budget import Deadline
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.journal.events import Event, TrialNoted, TrialStatus
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.learner.fit import fit, fit_in_group
from graft.learner.soup import make_soup
from graft.pipeline.stages import fit as module
from graft.pipeline.stages.fit import Fitting
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.components.head import MlpHead
from graft.spec.components.initialisation import Reinitialise
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.training.checkpoint import TrainingState, save_state
from graft.workers.allocation import Allocation
from graft.workers.elastic import DistributedResult
from graft.workers.elastic_host import Start
from graft.workers.groups.shape import GroupShape
from graft.workers.nodes.judge import NodeNews, NodeState

SCHEDULE = Schedule((Stretch(0, 2, Strategy(lr=0.1)), Stretch(2, 4, Strategy(lr=0.2))))
ONE = Allocation(cpus=1, gpus=0, concurrent=2, most_cpus=2)
TWO = Allocation(cpus=3, gpus=1, concurrent=1, workers=2, placement="spread", most_cpus=4)

Make = Callable[..., Fitting]


class Ran:
    """What was sent away, and what comes back."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any]]] = []
        self.answer: dict[str, Any] = {"epochs": 4, "samples": 30, "train/loss": 0.1}

    def remote(self, fn: Any, *arguments: Any, **options: Any) -> dict[str, Any]:
        self.calls.append((fn, arguments, options))
        return self.answer

    def distributed(self, fn: Any, arguments: Any, *more: Any) -> DistributedResult:
        self.calls.append((fn, tuple(arguments), {"more": more}))
        return DistributedResult(self.answer, (Start(2, ("a", "b")), Start(1, ("a",))))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Ran:
    made = Ran()
    monkeypatch.setattr(module, "run_remote", made.remote)
    monkeypatch.setattr(module, "run_distributed", made.distributed)
    return made


@pytest.fixture
def make(home: Path, dataset: Dataset, clock: Any, fold: Callable[..., Progress], trials: Any) -> Make:
    """``make(story, allocation=ONE, seconds=60, soup="greedy", final_on="train")``: the fit of the best trial."""

    def build(
        story: list[Event] | None = None, allocation: Allocation = ONE, seconds: float | None = None,
        final_on: str = "train+validation", **options: Any,
    ) -> Fitting:  # fmt: skip
        training = {"epochs": 4, "final_on": final_on, "fit": options}
        job = parse_job({"name": "x", "data": "digits", "training": training})
        progress = fold(*(story or trials.of("t01", [0.5, 0.6, 0.7, 0.6])))
        deadline = None if seconds is None else Deadline(seconds, "minutes")
        run_clock = RunClock(job, progress, clock, allocation, allocation, deadline, 0.0)
        experiment = Experiment.create(Home.find(), job)
        journal = Journal(experiment.journal_file, clock)
        return Fitting(experiment, job, journal, run_clock, dataset, progress.ranked()[0], SCHEDULE)

    return build


def best_files(fitting: Fitting, *names: str) -> dict[str, Path]:
    """The weights of the best epochs, as the search leaves them."""
    store, progress = CheckpointStore(fitting.experiment.checkpoints), fitting.run_clock.progress
    found = {name: store.best_file(name) for name in names}
    for name, path in found.items():
        trial = progress.trials[name]
        save_state(TrainingState(trial.best_epoch, trial.best_epoch, trial.best), path)
    return found


class TestTraining:
    def test_one_worker_trains_the_winners_schedule_with_the_whole_machine(self, make: Make, ran: Ran) -> None:
        fitting = make()
        done = fitting.run()
        ((fn, (task,), options),) = ran.calls
        assert fn is fit
        assert not options.pop("was_away")()
        assert options == {"num_cpus": 2, "num_gpus": 0, "attempts": 3, "labels": {}}
        assert task.model.schedule == SCHEDULE
        assert (task.model.weights, task.num_threads, task.workers, task.seconds) == (fitting.final_weights, 2, 1, None)
        assert done["weights"] == str(fitting.final_weights)
        assert (done["summary"], done["nodes"]) == ("4 epochs on 30 samples", [])

    def test_a_node_that_was_away_has_the_fit_begun_again_once(self, make: Make, ran: Ran) -> None:
        fitting = make()
        away = NodeNews("a", "10.77.0.12", Machine.here().host, NodeState.BACK, 31.0)
        fitting.experiment.heartbeats.mkdir(parents=True)
        with Pulse(FolderBoard(fitting.experiment.heartbeats), "fit"):
            fitting._tell_node(replace(away, host="elsewhere"))
            assert not fitting._was_away()
            fitting._tell_node(away)
        assert [fitting._was_away(), fitting._was_away()] == [True, False]

    def test_a_process_that_hangs_is_looked_for_and_told(
        self, make: Make, ran: Ran, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looking: list[Path] = []

        @contextmanager
        def watch(directory: Path, tell: Callable[[str, str], object], end: object) -> Iterator[Board]:
            looking.append(directory)
            tell("fit", "its process 7 hangs")
            yield FolderBoard(directory)

        monkeypatch.setattr(module, "watch_for_hangs", watch)
        fitting = make()
        fitting.run()
        ((_, (task,), _),) = ran.calls
        assert looking == [fitting.experiment.heartbeats]
        assert task.heartbeats == FolderBoard(fitting.experiment.heartbeats)
        noted = [event for _, event in read(fitting.experiment.journal_file) if isinstance(event, TrialNoted)]
        assert [(one.trial, one.text) for one in noted] == [("t01", "fit: its process 7 hangs")]

    def test_a_winner_that_lost_patience_is_fitted_as_long_as_it_was_good(
        self, make: Make, ran: Ran, trials: Any
    ) -> None:
        make(trials.of("t01", [0.5, 0.9, 0.8])).run()
        ((_, (task,), _),) = ran.calls
        assert task.model.schedule == SCHEDULE.scaled(2)
        assert task.model.schedule.epochs == 2

    def test_a_budget_limits_it(self, make: Make, ran: Ran) -> None:
        make(seconds=100.0).run()
        ((_, (task,), _),) = ran.calls
        assert task.seconds is not None
        assert 80 < task.seconds < 103

    def test_a_fit_that_was_cut_says_so(self, make: Make, ran: Ran) -> None:
        ran.answer = {"epochs": 3, "samples": 30}
        assert make().run()["summary"] == "3 epochs on 30 samples instead of 4, to keep the budget"

    def test_several_workers_train_it_together(self, make: Make, ran: Ran) -> None:
        fitting = make(allocation=TWO, min_workers=1)
        done = fitting.run()
        ((fn, (task,), options),) = ran.calls
        assert fn is fit_in_group
        assert (task.workers, task.num_threads) == (2, 1)
        shape, storage, least, attempts = options["more"]
        assert shape == GroupShape(2, 1.5, 0.5, "pack")
        assert (storage, least, attempts) == (fitting.experiment.tune, 1, 3)
        assert done["summary"] == "4 epochs on 30 samples by 2 workers"
        assert done["nodes"] == ["a", "b"]


class TestTakingWeights:
    def test_without_a_fit_the_winners_weights_are_taken(self, make: Make, ran: Ran) -> None:
        fitting = make(final_on="train")
        files = best_files(fitting, "t01")
        assert fitting.run() == {"weights": str(files["t01"]), "summary": "weights of t01, epoch 3"}
        assert ran.calls == []

    @pytest.mark.parametrize("is_there", [True, False])
    def test_weights_of_another_epoch_are_not_taken_for_those_of_the_best(
        self, make: Make, ran: Ran, is_there: bool
    ) -> None:
        """The disk took no more files at the best epoch."""
        fitting = make(final_on="train")
        if is_there:
            save_state(TrainingState(1, 1, {"val/accuracy": 0.5}), best_files(fitting, "t01")["t01"])
        done = fitting.run()
        ((fn, (task,), _),) = ran.calls
        assert fn is fit
        assert task.splits == (Split.TRAIN,)
        assert (task.model.schedule.epochs, task.last_epoch) == (fitting.job.training.epochs, 3)
        assert done["weights"] == str(fitting.final_weights)
        assert done["summary"] == (
            "weights of t01, epoch 3, are not on the disk, so it is trained anew: 4 epochs on 30 samples"
        )

    @pytest.fixture
    def story(self, trials: Any) -> list[Event]:
        """Five trials, best first; the third has another head, the fourth another beginning."""
        strategies = [
            Strategy(),
            Strategy(lr=0.5, freeze=1.0),
            Strategy(head=MlpHead()),
            Strategy(init=Reinitialise()),
            Strategy(lr=0.1),
        ]
        return [
            event
            for number, strategy in enumerate(strategies, start=1)
            for event in (
                trials.started(f"t0{number}", strategy=strategy),
                trials.reported(f"t0{number}", 1, 1 - number / 10),
                trials.ended(f"t0{number}", TrialStatus.STOPPED),
            )
        ]

    @pytest.mark.parametrize("kind", ["uniform", "greedy"])
    def test_a_soup_is_made_of_trials_that_are_alike(self, make: Make, ran: Ran, story: list[Event], kind: str) -> None:
        fitting = make(story, final_on="train", soup=kind)
        files = best_files(fitting, "t01", "t02", "t03", "t04", "t05")
        ran.answer = {"score": 0.95, "alone": 0.9, "used": 3, "is_better": True}
        done = fitting.run()
        ((fn, (model, ingredients, asked, threads), options),) = ran.calls
        assert fn is make_soup
        assert ingredients == [files["t01"], files["t02"], files["t05"]]
        assert (asked, threads, options) == (kind, 2, {"num_cpus": 2, "num_gpus": 0.0})
        assert model.weights == fitting.final_weights
        assert done["weights"] == str(fitting.final_weights)
        assert done["summary"] == f"weights of t01, epoch 1: 0.900 alone, 0.950 as {kind} soup of 3"

    def test_a_soup_that_is_no_better_is_not_kept(self, make: Make, ran: Ran, story: list[Event]) -> None:
        fitting = make(story, final_on="train", soup="uniform")
        files = best_files(fitting, "t01", "t02")
        ran.answer = {"score": 0.85, "alone": 0.9, "used": 2, "is_better": False}
        done = fitting.run()
        assert done["weights"] == str(files["t01"])
        assert done["summary"].endswith("0.900 alone, 0.850 as uniform soup of 2, which is not kept")

    def test_one_trial_makes_no_soup(self, make: Make, ran: Ran, story: list[Event]) -> None:
        fitting = make(story, final_on="train", soup="greedy")
        files = best_files(fitting, "t01", "t03")  # the others' are gone
        assert fitting.run() == {"weights": str(files["t01"]), "summary": "weights of t01, epoch 1"}
        assert ran.calls == []


class TestWithoutTime:
    """The search ended so late that less than half of the fit would be possible."""

    def test_the_weights_of_the_search_are_taken(self, make: Make, ran: Ran) -> None:
        fitting = make(seconds=1.0)
        files = best_files(fitting, "t01")
        done = fitting.run()
        assert done["weights"] == str(files["t01"])
        assert done["summary"].startswith("no time for a fit on all rows: weights of t01")
        assert ran.calls == []

    def test_they_are_taken_too_if_the_fit_was_stopped_early(self, make: Make, ran: Ran) -> None:
        ran.answer = {"epochs": 1, "samples": 30}
        fitting = make()
        files = best_files(fitting, "t01")
        done = fitting.run()
        assert done["weights"] == str(files["t01"])
        assert done["summary"].startswith(
            "the fit on all rows was slower than planned, and stopped after 1 of 4 epochs: weights of t01"
        )
        assert len(ran.calls) == 1

    def test_a_fit_that_was_stopped_early_is_kept_if_there_is_nothing_else(self, make: Make, ran: Ran) -> None:
        ran.answer = {"epochs": 1, "samples": 30}
        done = make().run()
        assert done["summary"] == "1 epochs on 30 samples instead of 4, to keep the budget"
        assert len(ran.calls) == 1

    def test_if_they_are_not_there_one_epoch_is_trained(self, make: Make, ran: Ran) -> None:
        make(seconds=1.0).run()
        ((_, (task,), _),) = ran.calls
        assert task.model.schedule.epochs == 1
