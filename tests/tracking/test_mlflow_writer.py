from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.tracking.mlflow_store import Store, open_store
from graft.tracking.mlflow_writer import Writer
from graft.tracking.operations import (
    PARENT,
    CloseRun,
    DropGhosts,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    SetTags,
    UploadFiles,
    UploadJson,
)
from graft.tracking.target import Target, run_key

OPERATIONS: tuple[Operation, ...] = (
    OpenRun(PARENT, "digits-1", 1.0, {"graft.role": "experiment"}),
    OpenRun("t00", "t00 lite0", 2.0, {"graft.role": "trial"}),
    LogParams("t00", {"lr": "0.1", "odd@key": "x"}),
    LogMetrics("t00", (Point("val/accuracy", 0.5, 3.0, 1), Point("val/accuracy", 0.6, 4.0, 2))),
    SetTags("t00", {"graft.status": "complete", "where": "http://me:canary@host"}),
    LogDataset("t00", "digits", "ab" * 32, "digits", {"train": 9}),
    UploadFiles(PARENT, ("job.yaml", "report.json")),
    UploadJson(PARENT, "quarantine.json", [{"path": "a.png"}]),
    CloseRun("t00", "FINISHED", 5.0),
    CloseRun(PARENT, "FINISHED", 6.0),
    DropGhosts(),
)


def opened(run: str) -> OpenRun:
    return next(found for found in OPERATIONS if isinstance(found, OpenRun) and found.run == run)


@pytest.fixture
def store(target: Target) -> Store:
    return open_store(target)


def write(store: Store, experiment_dir: Path, operations: tuple[Operation, ...] = OPERATIONS) -> None:
    writer = Writer(store, str(experiment_dir), experiment_dir, opened)
    for operation in operations:
        writer.write(operation)


def test_what_is_written(store: Store, experiment_dir: Path, shown: Callable[[], dict[str, Any]]) -> None:
    write(store, experiment_dir)
    runs = shown()
    assert set(runs) == {"digits-1", "t00 lite0"}
    trial, parent = runs["t00 lite0"], runs["digits-1"]
    assert trial["parent"] == "digits-1"
    assert trial["times"] == (2000, 5000)
    assert trial["params"] == {"lr": "0.1", "odd_key": "x"}
    assert trial["metrics"] == {"val/accuracy": [(1, 0.5, 3000), (2, 0.6, 4000)]}
    assert trial["tags"]["where"] == "http://***@host"
    assert trial["datasets"] == [("digits", ("ab" * 32)[:36])]
    assert parent["files"] == ["job.yaml", "quarantine.json"]
    assert parent["status"] == "FINISHED"


def test_writing_twice_changes_nothing(store: Store, experiment_dir: Path, shown: Callable[[], dict[str, Any]]) -> None:
    write(store, experiment_dir)
    once = shown()
    write(store, experiment_dir)
    assert shown() == once


def test_a_run_that_is_missing_is_opened(
    store: Store, experiment_dir: Path, shown: Callable[[], dict[str, Any]]
) -> None:
    write(store, experiment_dir, (SetTags("t00", {"a": "b"}),))
    assert shown()["t00 lite0"]["parent"] == "digits-1"


def test_ghosts_are_dropped(store: Store, experiment_dir: Path) -> None:
    write(store, experiment_dir)
    key = run_key(str(experiment_dir), "t00")
    tags = {"graft.key": key, "graft.experiment_key": run_key(str(experiment_dir))}
    store.client.create_run(store.experiment_id, start_time=9000, tags=tags)
    write(store, experiment_dir, (DropGhosts(),))
    assert len(store.find_runs(key)) == 1
