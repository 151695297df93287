"""Weights of trials in a home that is a store: each node has copies of its own."""

import pickle
import threading

import pytest
import torch
from tests.fixtures.homes import Node
from tests.fixtures.runs import HandClock, Trials

from graft.core.errors import ArtifactError
from graft.core.stores.folder import FolderStorage
from graft.core.stores.sender import Sender
from graft.core.stores.storage import StorageError, StorageFault
from graft.experiments.progress import Progress
from graft.experiments.retention import Kept, Retention
from graft.journal import events
from graft.learner import checkpoints as module
from graft.learner.checkpoints import CheckpointStore
from graft.search.protocol import Checkpoint
from graft.spec.tasks.lookup import metric_named
from graft.training.checkpoint import TrainingState

ACCURACY = metric_named("accuracy")


def state(epoch: int, best: float | None = None) -> TrainingState:
    found = {} if best is None else {"val/accuracy": best}
    return TrainingState(epoch, epoch, found, {"model/w": torch.full((3,), float(epoch))})


def store_of(home) -> CheckpointStore:
    return CheckpointStore(home.experiments / "digits" / "checkpoints")


def keep(store: CheckpointStore, epoch: int, trial: str = "t01", segment: int = 0) -> Checkpoint:
    checkpoint = Checkpoint(trial, segment, epoch)
    with Sender() as sender:
        assert store.keep(state(epoch), store.state_file(checkpoint), sender) == ""
        assert store.keep(state(epoch, 0.1 * epoch), store.best_file(trial), sender) == ""
    return checkpoint


@pytest.fixture
def told() -> list[str]:
    return []


def test_a_trial_goes_on_from_a_donor_of_another_node(node: Node, store_home: str, told: list[str]) -> None:
    store = store_of(node("a", store_home))
    donor = keep(store, 2)
    travelled = pickle.dumps(store)
    node("b", store_home)
    there: CheckpointStore = pickle.loads(travelled)
    assert there.directory != store.directory
    assert there.load(donor, told.append).epochs_done == 2
    assert there.of_trial("t01") == [donor]
    assert told == []


def test_a_trial_that_comes_back_to_a_node_has_its_newest_best(node: Node, folder_home: str, told: list[str]) -> None:
    keep(store_of(node("a", folder_home)), 1)
    keep(store_of(node("b", folder_home)), 2)
    back = store_of(node("a", folder_home))
    best, newest = back.best("t01", told.append), back.newest("t01", 0, told.append)
    assert best is not None
    assert newest is not None
    assert (best.epochs_done, newest.epochs_done) == (2, 2)
    assert back.best_weights("t01", ACCURACY, 0.2) == back.best_file("t01")
    assert back.best_weights("t01", ACCURACY, 0.3) is None


def test_a_driver_that_holds_no_weights_deletes_what_nobody_needs(node: Node, folder_home: str) -> None:
    store = store_of(node("a", folder_home))
    kept = [keep(store, epoch) for epoch in (1, 2, 3, 4)]
    driver = store_of(node("driver", folder_home))
    driver.prune("t01", [kept[0]], newest=1)
    assert driver.of_trial("t01") == [kept[3], kept[0]]
    driver.drop_best("t01")
    assert store_of(node("c", folder_home)).best("t01", print) is None


def test_a_node_keeps_the_newest_states_of_a_trial(node: Node, folder_home: str, told: list[str]) -> None:
    store = store_of(node("a", folder_home))
    kept = [keep(store, epoch) for epoch in (1, 2, 3, 4)]
    assert [store.state_file(one).exists() for one in kept] == [False, False, True, True]
    assert store.load(kept[0], told.append).epochs_done == 1


def test_a_state_that_is_on_its_way_is_waited_for(
    node: Node, folder_home: str, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(node("a", folder_home))
    keep(store, 1)
    there = store_of(node("b", folder_home))
    asked = threading.Event()

    def sleep(seconds: float) -> None:
        if not asked.is_set():  # it arrives while the trial waits
            asked.set()
            keep(store, 2)

    monkeypatch.setattr(module.time, "sleep", sleep)
    assert there.load(Checkpoint("t01", 0, 2), told.append).epochs_done == 2
    assert asked.is_set()


def test_a_state_that_never_comes_is_told(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATE_S", 0.0)
    with pytest.raises(ArtifactError, match="is gone, and no older state"):
        store_of(node("b", folder_home)).load(Checkpoint("t01", 0, 2), print)


def test_a_search_does_not_wait_for_a_store_that_is_away_to_delete_there(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store, clock, trials = store_of(node("a", folder_home)), HandClock(), Trials()
    for epoch in (1, 2, 3):
        keep(store, epoch)
    progress = Progress(ACCURACY, 4)
    retention = Retention(store, progress, Kept(newest=1, best=1), frozenset(), clock=clock)
    clock.seconds, asked = 100.0, []
    entries = FolderStorage.entries

    def away(self, *given):
        asked.append(given)
        raise StorageError(StorageFault.AWAY, "gone")

    def hear(event: events.Event) -> None:
        progress.apply(event)
        retention.apply(event)

    monkeypatch.setattr(FolderStorage, "entries", away)
    hear(trials.started("t01"))
    for epoch in (1, 2):
        hear(events.TrialReported("t01", epoch, {"val/accuracy": 0.5}, 1.0, time=20.0 + epoch))
    assert len(asked) == 1
    assert "stay for now" in caplog.text
    monkeypatch.setattr(FolderStorage, "entries", entries)
    clock.seconds += 11
    hear(events.TrialReported("t01", 3, {"val/accuracy": 0.5}, 1.0, time=23.0))
    assert store.of_trial("t01") == [Checkpoint("t01", 0, 3)]
