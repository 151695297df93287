"""A learner that is no network: whatever keeps the protocol is searched, stopped, copied, resumed and recorded.

It rolls down a quadratic bowl. An epoch is some steps, its loss the height; rate and friction are the strategy's.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fixtures.learner_trials import Cut, Told
from torch import Tensor

from graft.core.clock import SystemClock
from graft.core.errors import Interrupted
from graft.core.heartbeat import Watch, unwatched
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.experiments.history import SearchHistory
from graft.experiments.progress import Progress
from graft.journal import events
from graft.journal.events import Event, SearchEnded, TrialStatus
from graft.journal.journal import Journal, read
from graft.learner.checkpoints import CheckpointStore
from graft.learner.protocol import Learner, LearnerFactory
from graft.learner.trial import Message, TrialPayload, run_trial, train_in_group, train_proposal
from graft.pipeline.publishing import importance_of, sync_experiment
from graft.pipeline.stages.search import SearchStage
from graft.search.protocol import Checkpoint, CheckpointEpochs, Proposal
from graft.spec.job import Job
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.tracking.relay_files import RelayState
from graft.tracking.target import target_of
from graft.training.checkpoint import TrainingState, load_state
from graft.training.loop import EpochResult, OnEpoch, TrainEpoch, TrainingOutcome, TrainingStatus
from graft.training.world import ALONE, World
from graft.workers.allocation import Allocation

EPOCHS, STEPS, MOMENTUM = 6, 5, 0.5
STEEPNESS = torch.tensor([1.0, 0.2])
START = torch.tensor([4.0, -3.0])
EVERY = CheckpointEpochs(every=1)


class Bowl:
    """The point that rolls, and the best it has been at."""

    device, note = "cpu", "this is no network"
    facts: Mapping[str, float] = {"model/trainable_params": 2.0}

    def __init__(self, strategy: Strategy) -> None:
        self.current_lr = strategy.lr
        self.epochs_done, self._planned = 0, EPOCHS
        self.best_epoch: int | None = None
        self._best_metrics: Mapping[str, float] = {}
        self._best: Mapping[str, Tensor] = {}
        self._position, self._velocity = START.clone(), torch.zeros(2)

    def plan_epochs(self, epochs: int) -> int:
        """Roll for so many."""
        self._planned = epochs
        return epochs

    def train(self, on_epoch: OnEpoch | None, validate: bool, train_one: TrainEpoch | None = None) -> TrainingOutcome:
        """Roll on to the last epoch."""
        while self.epochs_done < self._planned:
            for _ in range(STEPS):
                self._velocity = MOMENTUM * self._velocity - self.current_lr * STEEPNESS * self._position
                self._position = self._position + self._velocity
            height = self.validation()["loss"]
            if not math.isfinite(height):
                return self._outcome(TrainingStatus.NON_FINITE, f"height is {height}; try a smaller lr")
            self.epochs_done += 1
            metrics = {"train/loss": height, **({"val/loss": height} if validate else {})}
            self._keep_best(metrics)
            goes_on = on_epoch is None or on_epoch(EpochResult(self.epochs_done, metrics, self.current_lr, 0.01))
            if goes_on is False:
                return self._outcome(TrainingStatus.STOPPED, "stopped from outside")
        return self._outcome(TrainingStatus.COMPLETED, "")

    def validation(self) -> Mapping[str, float]:
        """How high it lies."""
        return {"loss": float((STEEPNESS * self._position**2).sum()) / 2}

    def load(self, state: TrainingState) -> None:
        """Go on from there; the rate stays its own."""
        self._position, self._velocity = state.part("model")["position"], state.part("optimizer")["velocity"]
        self.epochs_done = state.epochs_done
        if state.best_epoch is not None:
            self.adopt_best(state)

    def adopt_best(self, state: TrainingState | None) -> None:
        """The one to beat."""
        self.best_epoch = state.best_epoch if state else None
        self._best_metrics = dict(state.best_metrics) if state else {}
        self._best = state.part("best") if state else {}

    def state(self, with_best: bool = True) -> TrainingState:
        """Where it is, and how fast."""
        tensors = {"model/position": self._position.clone(), "optimizer/velocity": self._velocity.clone()}
        best = self.best() if with_best else TrainingState(0)
        return TrainingState(self.epochs_done, best.best_epoch, best.best_metrics, {**tensors, **best.tensors})

    def best(self) -> TrainingState:
        """Where it was at its best."""
        tensors = {f"best/{name}": tensor for name, tensor in self._best.items()}
        return TrainingState(self.epochs_done, self.best_epoch, dict(self._best_metrics), tensors)

    def _keep_best(self, metrics: Mapping[str, float]) -> None:
        if self.best_epoch is None or metrics["val/loss"] < self._best_metrics["val/loss"]:
            self.best_epoch, self._best_metrics = self.epochs_done, metrics
            self._best = {"position": self._position.clone()}

    def _outcome(self, status: TrainingStatus, reason: str) -> TrainingOutcome:
        return TrainingOutcome(status, reason, self.epochs_done, self.best_epoch, self._best_metrics, self._best)


@dataclass(frozen=True)
class BowlFactory:
    """Makes bowls in the processes of trials."""

    def __call__(self, strategy: Strategy, world: World, watch: Watch = unwatched) -> Learner:
        return Bowl(strategy)


FACTORY: LearnerFactory = BowlFactory()


def heights_of(told: Told) -> list[tuple[int, float]]:
    return [(epoch, metrics["val/loss"]) for epoch, metrics in told.reports]


def proposal(**changes: Any) -> Proposal:
    return replace(Proposal("t01", Strategy(lr=0.1), epochs=EPOCHS), **changes)


class TestATrial:
    @pytest.fixture
    def payload(self, tmp_path: Path) -> TrialPayload:
        return TrialPayload(FACTORY, CheckpointStore(tmp_path / "here"), EVERY)

    @pytest.fixture
    def whole(self, tmp_path: Path) -> Told:
        """What is told of a trial that nothing has disturbed."""
        told = Told()
        train_proposal(proposal(), TrialPayload(FACTORY, CheckpointStore(tmp_path / "whole"), EVERY), ALONE, told)
        return told

    def test_every_epoch_is_reported_and_kept(self, payload: TrialPayload) -> None:
        told = Told()
        outcome = train_proposal(proposal(), payload, ALONE, told)
        assert outcome.epochs_done == EPOCHS
        assert [epoch for epoch, _ in told.reports] == [*range(1, EPOCHS + 1)]
        assert told.notes == ["this is no network"]
        assert ["model/trainable_params" in metrics for _, metrics in told.reports] == [True, *[False] * (EPOCHS - 1)]
        assert {metrics["train/lr"] for _, metrics in told.reports} == {0.1}
        assert [one.epoch for one in payload.store.of_trial("t01")] == [*range(EPOCHS, 0, -1)]
        best = load_state(payload.store.best_file("t01"))
        assert best.best_metrics["val/loss"] == min(height for _, height in heights_of(told))

    @pytest.mark.parametrize("is_lost", [False, True])
    @pytest.mark.parametrize("cut", [1, 3, EPOCHS])
    def test_killed_anywhere_it_goes_on_bit_for_bit(
        self, payload: TrialPayload, whole: Told, cut: int, is_lost: bool
    ) -> None:
        before, after = Told(cut, is_lost), Told()
        with pytest.raises(Cut):
            train_proposal(proposal(), payload, ALONE, before)
        outcome = train_proposal(proposal(reported=len(before.reports)), payload, ALONE, after)
        assert outcome.epochs_done == EPOCHS
        assert [*heights_of(before), *heights_of(after)] == heights_of(whole)

    def test_it_goes_on_from_a_donor_under_its_own_rate(self, payload: TrialPayload) -> None:
        train_proposal(proposal(trial="t02", epochs=2), payload, ALONE, Told())
        told, start = Told(), Checkpoint("t02", 0, 2)
        copied = proposal(strategy=Strategy(lr=1e-12), start=start, segment=1, reported=2)
        train_proposal(copied, payload, ALONE, told)
        donor = load_state(payload.store.state_file(start))
        mine = load_state(payload.store.state_file(Checkpoint("t01", 1, 3)))
        # Without a rate it only rolls out what the donor's speed leaves.
        rolled = sum(MOMENTUM**step for step in range(1, STEPS + 1)) * donor.part("optimizer")["velocity"]
        torch.testing.assert_close(mine.part("model")["position"], donor.part("model")["position"] + rolled)
        assert [epoch for epoch, _ in told.reports] == [3, 4, 5, 6]
        assert {metrics["train/lr"] for _, metrics in told.reports} == {1e-12}

    def test_what_flies_off_fails_with_a_reason(self, payload: TrialPayload) -> None:
        reporter = Reporter()
        run_trial(proposal(strategy=Strategy(lr=10.0)), payload, reporter)
        assert reporter.failures == ["height is inf; try a smaller lr"]
        assert reporter.epochs == [*range(1, len(reporter.epochs) + 1)] != [*range(1, EPOCHS + 1)]

    def test_a_group_trains_it_as_well(self, payload: TrialPayload, whole: Told) -> None:
        channel = Channel()
        train_in_group(proposal(), payload, channel)  # type: ignore[arg-type]
        assert [(one.epoch, one.metrics["val/loss"]) for one in channel.messages] == heights_of(whole)


class Reporter:
    """What the search gives a trial function."""

    def __init__(self) -> None:
        self.epochs: list[int] = []
        self.failures: list[str] = []

    def report(self, epoch: int, metrics: Mapping[str, float], **_: Any) -> None:
        self.epochs.append(epoch)

    def fail(self, reason: str) -> None:
        self.failures.append(reason)


class Channel:
    """What a worker group gives its ranks."""

    size = 1
    nodes = ()
    ended_by = ""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def report(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def is_abandoned(self) -> bool:
        return False


ASHA = {"scheduler": {"kind": "asha", "reduction_factor": 2}, "budget": {"trials": 6}}
PBT = {"scheduler": {"kind": "pbt", "interval": 1}, "population": 4}


def job_of(search: Mapping[str, Any]) -> Job:
    return parse_job(
        {
            "name": "bowl",
            "data": "digits",
            "strategy": {"lr": {"loguniform": [1e-4, 0.5]}},
            "training": {"epochs": EPOCHS},
            "search": {"metric": "loss", **search},
        }
    )


class Run:
    """An experiment on bowls, with a journal; it may be run again and again."""

    def __init__(self, home: Path, search: Mapping[str, Any]) -> None:
        self.home, self._job = Home(home), job_of(search)
        self.experiment = Experiment.create(self.home, self._job)

    def run(self, ends: Callable[[Progress], bool] = lambda progress: False) -> SearchEnded:
        """Search to the end, or until it is interrupted."""
        metric = self._job.objective
        progress, history = Progress(metric, EPOCHS), SearchHistory(metric)
        for event in self.told():
            progress.apply(event)
            history.apply(event)
        with Journal(self.experiment.journal_file) as journal:
            journal.subscribe(progress.apply)
            name = self.experiment.name
            journal.append(events.ExperimentStarted(name, name, self._job.model_dump(mode="json")))
            ended = SearchStage(
                experiment=self.experiment,
                job=self._job,
                journal=journal,
                progress=progress,
                clock=SystemClock(),
                allocation=Allocation(cpus=1, gpus=0, concurrent=2),
                factory=FACTORY,
                history=history,
                end_of_search=lambda: SearchEnded("interrupt") if ends(progress) else None,
                phase_seconds=lambda phase: None,
            ).run()
            winner = next(iter(progress.ranked()))
            journal.append(importance_of(self.experiment.journal_file, self._job))
            journal.append(events.WinnerChosen(winner.trial, "lies lowest"))
            journal.append(events.ExperimentFinished(events.ExperimentStatus.COMPLETED, 1.0))
            return ended

    def told(self, kind: type[Event] = Event) -> list[Any]:
        if not self.experiment.journal_file.exists():
            return []
        return [event for _, event in read(self.experiment.journal_file) if isinstance(event, kind)]

    def epochs(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for event in self.told(events.TrialReported):
            found.setdefault(event.trial, []).append(event.epoch)
        return found

    def heights(self) -> dict[tuple[str, int], float]:
        return {(one.trial, one.epoch): one.metrics["val/loss"] for one in self.told(events.TrialReported)}

    def copies(self) -> list[tuple[str, str, int, float]]:
        return sorted((one.trial, one.donor, one.epoch, one.strategy["lr"]) for one in self.told(events.TrialExploited))

    def assert_nothing_is_lost_or_counted_twice(self) -> None:
        assert {name: told for name, told in self.epochs().items() if told != [*range(1, len(told) + 1)]} == {}
        ends = [one.trial for one in self.told(events.TrialFinished) if one.status is not TrialStatus.INTERRUPTED]
        assert sorted(ends) == sorted(self.epochs())

    def assert_recorded(self) -> None:
        """MLflow's embedded store holds the journal, also after it is sent again."""
        from graft.tracking.mlflow.audit import audit_store

        target = target_of(self.home, self._job)
        for restart in (False, True):
            assert sync_experiment(self.home, self.experiment, restart).state is RelayState.DONE
            _, audit = audit_store(target, self.experiment.journal_file)
            assert (audit.lost, audit.doubled) == (0, 0)
            assert audit.runs_found == audit.runs_expected == len(self.epochs()) + 1
            assert audit.metrics_found == audit.metrics_expected > len(self.heights())


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
class TestASearch:
    """On Ray Tune, with the stage that every job goes through."""

    def test_asha_stops_the_slow_ones_and_all_is_recorded(self, home: Path) -> None:
        run = Run(home, ASHA)
        assert run.run().by == "trials"
        run.assert_nothing_is_lost_or_counted_twice()
        ends = {one.trial: one.status for one in run.told(events.TrialFinished)}
        assert len(ends) == 6
        assert set(ends.values()) == {TrialStatus.COMPLETED, TrialStatus.STOPPED}
        assert {len(run.epochs()[name]) for name, status in ends.items() if status is TrialStatus.COMPLETED} == {EPOCHS}
        (winner,) = run.told(events.WinnerChosen)
        heights = run.heights()
        assert min(heights, key=lambda place: heights[place])[0] == winner.trial
        best = load_state(CheckpointStore(run.experiment.checkpoints).best_file(winner.trial))
        assert best.best_metrics["val/loss"] == min(heights.values())
        run.assert_recorded()

    def test_a_population_copies_and_all_is_recorded(self, home: Path) -> None:
        run = Run(home, PBT)
        assert run.run().by == "trials"
        run.assert_nothing_is_lost_or_counted_twice()
        assert run.epochs() == {f"t0{number}": [*range(1, EPOCHS + 1)] for number in range(1, 5)}
        copied = run.told(events.TrialExploited)
        assert len(copied) >= 2
        for one in copied:
            rates = {
                report.metrics["train/lr"]
                for report in run.told(events.TrialReported)
                if (report.trial, report.epoch) == (one.trial, one.epoch + 1)
            }
            assert rates == {one.strategy["lr"]}
        run.assert_recorded()

    @pytest.mark.slow
    def test_an_interrupted_one_ends_like_one_that_was_not(self, home: Path) -> None:
        whole, broken = Run(home, PBT), Run(home, PBT)
        whole.run()
        with pytest.raises(Interrupted):
            broken.run(lambda progress: sum(trial.epoch for trial in progress.trials.values()) >= 2 * 4 + 1)
        cut = broken.heights()
        assert 8 < len(cut) < 4 * EPOCHS
        assert broken.run().by == "trials"
        broken.assert_nothing_is_lost_or_counted_twice()
        assert broken.heights() == whole.heights()
        assert broken.copies() == whole.copies()
        assert cut.items() <= broken.heights().items()
        broken.assert_recorded()
