"""Where weights lie, and what is done when they do not."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch

from graft.core.errors import ArtifactError
from graft.core.stores.sender import Sender
from graft.learner.checkpoints import CheckpointStore
from graft.search.protocol import Checkpoint
from graft.spec.metrics import MetricSpec
from graft.training.checkpoint import TrainingState, load_state, save_state


@pytest.fixture
def store(tmp_path: Path) -> CheckpointStore:
    return CheckpointStore(tmp_path / "checkpoints")


def leave(store: CheckpointStore, trial: str, *places: tuple[int, int]) -> None:
    """States of these segments and epochs."""
    for segment, epoch in places:
        state = TrainingState(epoch, tensors={"model/w": torch.full((2,), float(100 * segment + epoch))})
        save_state(state, store.state_file(Checkpoint(trial, segment, epoch)))


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def names(store: CheckpointStore, trial: str) -> list[str]:
    return sorted(path.name for path in (store.directory / trial).iterdir())


def test_a_pointer_names_one_file(store: CheckpointStore) -> None:
    pointer = Checkpoint("t07", 2, 31)
    assert store.state_file(pointer) == store.directory / "t07" / "s2-e0031.safetensors"
    assert store.best_file("t07") == store.directory / "t07" / "best.safetensors"
    leave(store, "t07", (2, 31))
    assert store.of_trial("t07") == [pointer]


def test_a_trial_has_its_checkpoints_newest_first(store: CheckpointStore) -> None:
    leave(store, "t01", (0, 2), (1, 4), (0, 10), (10, 1))
    leave(store, "t02", (3, 3))
    save_state(TrainingState(1), store.best_file("t01"))
    (store.directory / "t01" / ".s0-e0099.safetensors.x1").touch()  # left by a process that was killed
    assert store.of_trial("t01") == [
        Checkpoint("t01", 10, 1),
        Checkpoint("t01", 1, 4),
        Checkpoint("t01", 0, 10),
        Checkpoint("t01", 0, 2),
    ]
    assert store.of_trial("t03") == []


def test_the_newest_of_a_segment_is_gone_on_from(store: CheckpointStore) -> None:
    told: list[str] = []
    leave(store, "t01", (0, 2), (0, 4), (1, 3))
    newest = store.newest("t01", 0, told.append)
    assert newest is not None
    assert newest.epochs_done == 4
    assert store.newest("t01", 2, told.append) is None
    assert store.newest("t09", 0, told.append) is None
    assert told == []


def test_a_damaged_newest_counts_as_if_it_was_not_there(store: CheckpointStore) -> None:
    told: list[str] = []
    leave(store, "t01", (0, 2), (0, 4), (0, 6))
    damage(store.state_file(Checkpoint("t01", 0, 6)))
    store.state_file(Checkpoint("t01", 0, 4)).write_bytes(b"")
    newest = store.newest("t01", 0, told.append)
    assert newest is not None
    assert newest.epochs_done == 2
    assert ["s0-e0006" in told[0], "s0-e0004" in told[1]] == [True, True]


def test_a_pointer_gives_what_it_names(store: CheckpointStore) -> None:
    leave(store, "t01", (0, 2), (0, 4), (0, 6))
    assert store.load(Checkpoint("t01", 0, 4), pytest.fail).part("model")["w"].tolist() == [4.0, 4.0]


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_dangling_pointer_falls_back_to_the_one_before_of_the_same_segment(store: CheckpointStore, how: str) -> None:
    told: list[str] = []
    leave(store, "t01", (0, 3), (1, 4), (1, 6), (1, 8), (2, 5))
    wanted = Checkpoint("t01", 1, 6)
    if how == "gone":
        store.state_file(wanted).unlink()
    else:
        damage(store.state_file(wanted))
    assert store.load(wanted, told.append).epochs_done == 4  # neither a newer one, nor one of another segment
    assert [("s1-e0006" in one, "damaged" in one) for one in told] == [(True, True)] * (how == "damaged")


def test_a_pointer_with_nothing_behind_it_says_so(store: CheckpointStore) -> None:
    leave(store, "t01", (0, 3), (1, 8))
    with pytest.raises(ArtifactError, match=r"s1-e0006\.safetensors is gone, and no older state of t01 is there"):
        store.load(Checkpoint("t01", 1, 6), pytest.fail)


def test_pruning_keeps_the_newest_and_the_pinned(store: CheckpointStore) -> None:
    leave(store, "t01", (0, 1), (0, 2), (0, 3), (1, 4), (1, 5))
    save_state(TrainingState(2), store.best_file("t01"))
    leave(store, "t02", (0, 1))
    store.prune("t01", [Checkpoint("t01", 0, 2), Checkpoint("t02", 0, 1)], newest=2)
    assert names(store, "t01") == [
        "best.safetensors",
        "s0-e0002.safetensors",
        "s1-e0004.safetensors",
        "s1-e0005.safetensors",
    ]
    store.prune("t01", [], newest=0)
    assert names(store, "t01") == ["best.safetensors"]
    assert names(store, "t02") == ["s0-e0001.safetensors"]
    store.prune("t09", [], newest=0)


def test_states_are_whole_or_not_there(store: CheckpointStore) -> None:
    leave(store, "t01", (0, 1))
    assert load_state(store.state_file(Checkpoint("t01", 0, 1))).epochs_done == 1
    assert names(store, "t01") == ["s0-e0001.safetensors"]


def disk(free: float, total: float) -> Callable[[Path], Any]:
    return lambda path: SimpleNamespace(free=free, total=total)


@pytest.mark.parametrize(
    ("free", "total", "is_kept"), [(63e6, 1e12, False), (80e6, 1e12, True), (2e6, 30e6, True), (1e6, 30e6, False)]
)
def test_weights_leave_room_for_the_journal(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, free: float, total: float, is_kept: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", disk(free, total))
    problem = store.keep(TrainingState(1), store.best_file("t01"), Sender())
    assert store.best_file("t01").exists() == is_kept
    assert ("MB left, so best.safetensors is not kept" in problem) != is_kept


def test_weights_that_do_not_fit_leave_what_was_there(store: CheckpointStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.keep(TrainingState(1), store.best_file("t01"), Sender()) == ""
    large = TrainingState(2, tensors={"model/w": torch.zeros(1_000_000)})
    monkeypatch.setattr(shutil, "disk_usage", disk(66 << 20, 1e12))
    assert "is not kept" in store.keep(large, store.best_file("t01"), Sender())
    assert load_state(store.best_file("t01")).epochs_done == 1


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.EACCES])
def test_a_disk_that_takes_nothing_costs_the_weights_and_not_the_training(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    told = store.keep(TrainingState(1), store.best_file("t01"), Sender())
    assert told.startswith("best.safetensors is not kept: ")
    assert os.strerror(number) in told


@pytest.mark.parametrize(("mode", "stored", "score", "is_good"), [
    ("max", 0.8, 0.8, True), ("max", 0.6, 0.8, False), ("max", 0.9, 0.8, True), ("max", 0.8, None, False),
    ("min", 0.2, 0.2, True), ("min", 0.4, 0.2, False),
])  # fmt: skip
def test_weights_of_a_worse_epoch_are_not_the_best(
    store: CheckpointStore, mode: Literal["max", "min"], stored: float, score: float | None, is_good: bool
) -> None:
    file, metric = store.best_file("t01"), MetricSpec("loss", mode)
    assert store.best_weights("t01", metric, score) is None
    save_state(TrainingState(1, 1, {"val/loss": stored}), file)
    assert store.best_weights("t01", metric, score) == (file if is_good else None)
    file.write_bytes(b"torn")
    assert store.best_weights("t01", metric, score) is None
