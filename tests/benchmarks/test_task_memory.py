"""The smallest run of `memory_size.py`, and what the bank of tasks holds."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from graft.meta.memory.importing import read_memory
from graft.meta.task_embedding.similarity import nearest

HERE = Path(__file__).parent
TASKS = 24


@pytest.fixture
def memory_size(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("memory_size")


def test_a_memory_is_measured(memory_size: Any, tmp_path: Path) -> None:
    found = memory_size.measure(200, tmp_path)
    assert found["records"] == 200
    assert found["bytes a record"] > 0


def test_the_bank_has_tasks_with_curves_vectors_and_scores(repository: Path) -> None:
    folder = repository / "tests" / "assets" / "bank"
    memory = read_memory(*(folder / f"{kind}.parquet" for kind in ("records", "scores", "tasks")))
    tasks = {one.task: one for one in memory.tasks()}
    assert len(tasks) >= TASKS
    assert {one.task for one in memory.records()} == {one.task for one in memory.scores()} == set(tasks)
    assert all(one.embedding and one.rows for one in tasks.values())
    assert {one.modality for one in tasks.values()} == {"image", "text"}
    assert any((one.epoch or 0) > 1 for one in memory.records())
    assert sum(file.stat().st_size for file in folder.glob("*.parquet")) < 5_000_000
    assert nearest(tasks["digits_few"], tasks.values(), 1)[0][0].task == "digits_alike"
