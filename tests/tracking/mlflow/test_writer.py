import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow.exceptions import MlflowException

from graft.tracking.mlflow.store import Store, open_store
from graft.tracking.mlflow.writer import Writer
from graft.tracking.projection.operations import (
    EXPERIMENT_RUN,
    CloseRun,
    DropGhosts,
    LogDataset,
    LogMetrics,
    LogParams,
    OpenRun,
    Operation,
    Point,
    SetTags,
    ShowViews,
    UploadFiles,
    UploadJson,
    UploadTable,
    UploadText,
)
from graft.tracking.target import Target, run_key

OPERATIONS: tuple[Operation, ...] = (
    OpenRun(EXPERIMENT_RUN, "digits-1", 1.0, {"graft.role": "experiment"}),
    OpenRun("t00", "t00 lite0", 2.0, {"graft.role": "trial"}),
    LogParams("t00", {"lr": "0.1", "odd@key": "x"}),
    LogMetrics("t00", (Point("val/accuracy", 0.5, 3.0, 1), Point("val/accuracy", 0.6, 4.0, 2))),
    SetTags("t00", {"graft.status": "complete", "where": "http://me:canary@host"}),
    LogDataset("t00", "digits", "ab" * 32, "digits", {"train": 9}),
    UploadFiles(EXPERIMENT_RUN, ("job.yaml", "report.json")),
    UploadJson(EXPERIMENT_RUN, "quarantine.json", [{"path": "a.png"}]),
    CloseRun("t00", "FINISHED", 5.0),
    CloseRun(EXPERIMENT_RUN, "FINISHED", 6.0),
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


def parent_of(store: Store, experiment_dir: Path) -> Any:
    (run_id,) = store.find_runs(run_key(str(experiment_dir), EXPERIMENT_RUN))
    return store.client.get_run(run_id)


def test_tables_are_where_mlflow_looks_for_them(store: Store, experiment_dir: Path) -> None:
    first = UploadTable(EXPERIMENT_RUN, "leaderboard_table.json", ("trial", "score"), (("t00", 0.5), ("t01", None)))
    second = UploadTable(EXPERIMENT_RUN, "other.json", ("field",), (("lr",),))
    write(store, experiment_dir, (OPERATIONS[0], first, second, first))
    run = parent_of(store, experiment_dir)
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "leaderboard_table.json", "type": "table"},
        {"path": "other.json", "type": "table"},
    ]
    table = json.loads(Path(store.client.download_artifacts(run.info.run_id, "leaderboard_table.json")).read_text())
    assert table == {"columns": ["trial", "score"], "data": [["t00", 0.5], ["t01", None]]}, "twice is not double"


def test_texts_lose_their_secrets_and_pictures_stay_as_they_are(store: Store, experiment_dir: Path) -> None:
    picture = bytes(range(256))
    experiment_dir.joinpath("confusion_matrix.png").write_bytes(picture)
    text = UploadText(EXPERIMENT_RUN, "traceback.txt", "ConnectionError: http://me:canary@host")
    table = UploadTable(EXPERIMENT_RUN, "table.json", ("reason",), (("refused by s3://me:canary@host",),))
    experiment_dir.joinpath("quarantine.parquet").write_bytes(b"PAR1" + picture)
    files = UploadFiles(EXPERIMENT_RUN, ("confusion_matrix.png", "gone.png", "quarantine.parquet"))
    write(store, experiment_dir, (OPERATIONS[0], text, table, files))
    run_id = parent_of(store, experiment_dir).info.run_id
    there = {file.path for file in store.client.list_artifacts(run_id)}
    assert there == {"traceback.txt", "confusion_matrix.png", "quarantine.parquet", "table.json"}
    files = Path(store.client.download_artifacts(run_id, ""))
    assert not [name for name in ("traceback.txt", "table.json") if "canary" in files.joinpath(name).read_text()]
    assert files.joinpath("confusion_matrix.png").read_bytes() == picture
    assert files.joinpath("quarantine.parquet").read_bytes() == b"PAR1" + picture


def test_views_are_tags_of_the_experiment(store: Store, experiment_dir: Path) -> None:
    write(store, experiment_dir, (OPERATIONS[0], ShowViews({"mlflow.sharedViewState.x": "{}"})))
    tags = store.client.get_experiment(store.experiment_id).tags
    assert tags["mlflow.sharedViewState.x"] == "{}"


def test_a_store_that_takes_no_views_gets_everything_else(
    store: Store, experiment_dir: Path, shown: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def refuse(*arguments: Any) -> None:
        raise MlflowException("INTERNAL_ERROR: tags are gone")

    monkeypatch.setattr(store.client, "set_experiment_tag", refuse)
    write(store, experiment_dir, (ShowViews({"mlflow.sharedViewState.x": "{}"}), *OPERATIONS))
    assert "comparison page was not written" in caplog.text
    assert shown()["digits-1"]["status"] == "FINISHED"
