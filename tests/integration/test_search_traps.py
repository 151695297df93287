"""What Ray Tune with Ray Train gets wrong by default, or makes slow: each was measured, and is kept from coming back.

What concerns one module alone is tested there: the order of reports (`tests/workers/groups/test_coordinator.py`),
leaked placement groups (`tests/workers/groups/test_group.py`), searches that were cut off
(`tests/search/test_conductor.py`), dangling pointers (`tests/learner/test_checkpoints.py`). Exploits of trials with
several workers: beside this. Processes of a population: `tests/search/test_tuner.py`.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray

from graft.core.clock import SystemClock
from graft.experiments.progress import Progress
from graft.experiments.retention import Kept, Retention
from graft.journal.events import Event, TrialStatus
from graft.learner.checkpoints import CheckpointStore
from graft.pipeline.recorder import Recorder
from graft.search.conductor import Conductor
from graft.search.proposer import SearchProposer
from graft.search.protocol import Checkpoint, GoOn, Proposal, SearchObserver, Stop, TrialEnd
from graft.search.schedulers.build import build_scheduler
from graft.search.searchers.build import build_searcher
from graft.spec.search.phases import Phase, phases_of
from graft.spec.search.search import SearchSpec
from graft.spec.space.space import StrategySpace
from graft.spec.tasks.lookup import metric_named
from graft.workers.elastic import ElasticTimeouts, run_distributed
from graft.workers.groups.shape import GroupShape
from graft.workers.train_run import TrainRun, fit, new_mark

ACCURACY = metric_named("accuracy")
SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})


def population(size: int, epochs: int, interval: int = 1) -> Phase:
    search = SearchSpec.model_validate({"scheduler": {"kind": "pbt", "interval": interval}, "population": size})
    return phases_of(search, epochs)[0]


def conductor(phase: Phase, observer: SearchObserver, slots: int) -> Conductor:
    proposer = SearchProposer(build_searcher(phase.searcher, SPACE, ACCURACY, 0), phase)
    return Conductor(build_scheduler(phase, ACCURACY, 0, SPACE), proposer, observer, ACCURACY, slots)


class Told:
    """A journal that tells its readers at once, and keeps nothing."""

    def __init__(self) -> None:
        self.readers: list[Callable[[Event], None]] = []

    def append(self, event: Event) -> None:
        for reader in self.readers:
            reader(event)


class Processes:
    """Trials, one process each, without Ray: epoch by epoch in turn, with states where they are due.

    Args:
        dies_after: the process that makes this report (counted from 1) dies right after it.
    """

    def __init__(self, directory: Path, phase: Phase, dies_after: int) -> None:
        told, progress = Told(), Progress(ACCURACY, phase.epochs)
        self._store = CheckpointStore(directory)
        told.readers = [progress.apply, Retention(self._store, progress, Kept(best=1), frozenset()).apply]
        self._led = conductor(phase, Recorder(told, progress, 0, SystemClock()), slots=2)  # type: ignore[arg-type]
        self._due = build_scheduler(phase, ACCURACY, 0, SPACE).checkpoints
        self._dies_after = dies_after
        self._running: dict[str, tuple[Proposal, int]] = {}
        self._waiting: set[str] = set()
        self.progress = progress
        self.reports = 0
        self.missing: list[Checkpoint] = []

    def run(self) -> None:
        """To the end of the search."""
        while True:
            self._act()
            while (proposal := self._led.next()) or (trial := self._led.to_suspend()):
                if proposal:
                    self._begin(proposal)
                else:
                    self._leave(trial)
            turns = sorted((epoch, trial) for trial, (_, epoch) in self._running.items() if trial not in self._waiting)
            if not turns:
                return
            self._train(turns[0][1])

    def _begin(self, proposal: Proposal) -> None:
        own = [one for one in self._store.of_trial(proposal.trial) if one.segment == proposal.segment]
        source = own[0] if own else proposal.start
        if source and not self._store.state_file(source).exists():
            self.missing.append(source)
        self._running[proposal.trial] = (proposal, source.epoch if source else 0)
        self._waiting.discard(proposal.trial)

    def _train(self, trial: str) -> None:
        proposal, epoch = self._running[trial]
        if epoch == proposal.epochs:
            self._end(trial)
            return
        epoch += 1
        self._running[trial] = (proposal, epoch)
        if self._due.wants(epoch):
            file = self._store.state_file(Checkpoint(trial, proposal.segment, epoch))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        value = proposal.strategy.lr * epoch
        verdict = self._led.reported(trial, epoch, {"val/accuracy": value, "train/seconds": 0.0})
        self.reports += 1
        if self.reports == self._dies_after:
            self._leave(trial)
            self._led.crashed(trial, "killed")
        elif epoch == proposal.epochs:
            self._end(trial)
        elif isinstance(verdict, Stop):
            self._leave(trial)
        elif not isinstance(verdict, GoOn):
            self._waiting.add(trial)

    def _end(self, trial: str) -> None:
        self._leave(trial)
        self._led.ended(trial, TrialEnd(TrialStatus.COMPLETED, ""))

    def _act(self) -> None:
        for trial, action in self._led.take_actions().items():
            if isinstance(action, Proposal):
                self._begin(action)
            elif isinstance(action, Stop):
                self._leave(trial)
            else:
                self._waiting.discard(trial)

    def _leave(self, trial: str) -> None:
        self._running.pop(trial, None)
        self._waiting.discard(trial)


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_whoever_dies_after_whichever_report_finds_what_to_go_on_from(tmp_path: Path, interval: int) -> None:
    phase = population(3, 8, interval)
    undisturbed = Processes(tmp_path / "0", phase, 0)
    undisturbed.run()
    assert undisturbed.progress.exploits
    for report in range(1, undisturbed.reports + 1):
        disturbed = Processes(tmp_path / str(report), phase, report)
        disturbed.run()
        assert disturbed.missing == [], f"killed after report {report}"
        assert disturbed.progress.counts()["completed"] == 3


def test_no_train_run_has_the_name_of_another_whose_checkpoints_it_would_restore(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    places = []

    def fit_nothing(trainer: Any) -> Any:
        places.append((trainer.run_config.storage_path, trainer.run_config.name))
        return SimpleNamespace(return_value=None)

    monkeypatch.setattr(DataParallelTrainer, "fit", fit_nothing)
    for _ in range(3):
        fit(TrainRun(GroupShape(2, 0.5), 2, tmp_path, new_mark(), 3, 10.0), print, None)
    assert {place for place, _ in places} == {str(tmp_path)}
    assert len(set(places)) == 3


@pytest.mark.slow
@pytest.mark.ray
def test_an_elastic_run_begins_with_the_workers_there_is_room_for(ray_session: None, tmp_path: Path) -> None:
    occupant = ray.remote(Occupant).options(num_cpus=1).remote()
    ray.get(occupant.is_there.remote())
    try:
        timeouts = ElasticTimeouts(start_s=3.0, resize_s=3.0, give_up_s=40.0)
        done = run_distributed(lambda rank: rank.size, (), GroupShape(2, 1.0), tmp_path, 1, timeouts=timeouts)
    finally:
        ray.kill(occupant)
    assert done.value == 1


class Occupant:
    def is_there(self) -> bool:
        return True
