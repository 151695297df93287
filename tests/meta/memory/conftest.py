"""Records in a few words, and an empty memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.meta.memory.place import LocalPlace
from graft.meta.memory.records import Record, TaskEntry
from graft.meta.memory.store import MemoryStore

Make = Callable[..., Record]


@pytest.fixture
def record() -> Make:
    """``record(value=0.7)``: a record of a trial, with what is not named as usual."""

    def make(**changes: Any) -> Record:
        usual = {
            "task": "cats",
            "modality": "image",
            "task_kind": "classification",
            "backbone": "mobilenet_v2",
            "metric": "accuracy",
            "direction": "max",
            "value": 0.5,
            "trial": "run/t01",
            "epoch": 1,
            "written_at": 1000.0,
            "source": "run:one",
        }
        return Record(**{**usual, **changes})

    return make


@pytest.fixture
def entry() -> Callable[..., TaskEntry]:
    """``entry(task="dogs")``: a task."""

    def make(**changes: Any) -> TaskEntry:
        usual = {"task": "cats", "modality": "image", "task_kind": "classification", "rows": 100, "outputs": 3}
        return TaskEntry(**{**usual, "written_at": 1000.0, **changes})

    return make


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(LocalPlace(tmp_path / "memory"), "me@here")
