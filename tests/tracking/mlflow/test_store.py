import sqlite3
from pathlib import Path

import pytest

from graft.core.errors import StoreBusyError, TrackingError
from graft.tracking.mlflow import store as store_module
from graft.tracking.mlflow.failures import is_refusal
from graft.tracking.mlflow.store import MlflowClient, MlflowException, open_store, tracking_errors
from graft.tracking.target import Target


def test_opening_twice_finds_the_same_experiment(target: Target) -> None:
    assert open_store(target).experiment_id == open_store(target).experiment_id


def test_artifacts_lie_below_the_root(target: Target, store_root: Path) -> None:
    store = open_store(target)
    location = store.client.get_experiment(store.experiment_id).artifact_location
    assert location == (store_root / "artifacts" / target.experiment).as_uri()


def test_the_database_writes_ahead(target: Target) -> None:
    open_store(target)
    with sqlite3.connect(str(target.database())) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.slow
def test_a_database_that_was_being_made_when_its_process_died_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / ".mlflow.db.new"
    with sqlite3.connect(half) as connection:
        connection.execute("CREATE TABLE _alembic_tmp_experiments (experiment_id INTEGER)")
    open_store(Target(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path))
    assert not half.exists()
    assert (tmp_path / "mlflow.db").exists()


def test_a_database_is_there_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dies(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Dies

    monkeypatch.setattr(store_module, "MlflowClient", die)
    with pytest.raises(Dies):
        open_store(Target(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path))
    assert not (tmp_path / "mlflow.db").exists()


def test_a_run_is_created_once(target: Target) -> None:
    store = open_store(target)
    first = store.ensure_run("k1", "t00", 12.5, {"a": "b"})
    assert store.ensure_run("k1", "t00", 12.5, {"a": "b"}) == first
    run = store.client.get_run(first)
    assert run.info.start_time == 12500
    assert run.data.tags["a"] == "b"


def test_a_ghost_run_is_deleted(target: Target) -> None:
    store = open_store(target)
    kept = store.ensure_run("k1", "t00", 1.0, {})
    store.client.create_run(store.experiment_id, start_time=2000, tags={"graft.key": "k1"})
    assert store.ensure_run("k1", "t00", 1.0, {}) == kept
    assert store.find_runs("k1") == [kept]


def test_a_deleted_experiment_is_a_clear_error(target: Target) -> None:
    store = open_store(target)
    store.client.delete_experiment(store.experiment_id)
    with pytest.raises(TrackingError, match="was deleted; restore it"):
        open_store(target)


def test_a_foreign_database_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("mlflow.db").write_text("this is no database, whatever its name says" * 100)
    with pytest.raises(TrackingError, match="cannot be"):
        open_store(Target(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path))


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(TrackingError, match="choose another --home"):
        open_store(Target(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", "x", tmp_path))


def test_refusals_are_told_from_failures(target: Target) -> None:
    client = MlflowClient(target.uri)
    with pytest.raises(TrackingError, match="refused: Run"), tracking_errors(target):
        client.get_run("0" * 32)
    with pytest.raises(MlflowException) as caught:
        client.get_run("0" * 32)
    assert is_refusal(caught.value)
    assert not is_refusal(OSError())


def test_a_server_that_is_down_fails_fast_and_hides_the_password() -> None:
    away = Target("http://me:canary@127.0.0.1:9", "x")
    with pytest.raises(TrackingError, match="start it") as caught, tracking_errors(away):
        open_store(away)
    assert "canary" not in str(caught.value)


def test_a_database_that_others_have_locked_may_be_asked_again(target: Target) -> None:
    locked = MlflowException("(sqlite3.OperationalError) database is locked\n[SQL: UPDATE runs …]")
    with pytest.raises(StoreBusyError, match="is locked by another program that writes to it"), tracking_errors(target):
        raise locked
