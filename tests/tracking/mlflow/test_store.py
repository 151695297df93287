from pathlib import Path

import pytest

from graft.core.errors import StoreBusyError, TrackingError
from graft.tracking.mlflow.failures import is_refusal
from graft.tracking.mlflow.store import MlflowClient, MlflowException, open_store, tracking_errors
from graft.tracking.target import Target


def test_opening_twice_finds_the_same_experiment(target: Target) -> None:
    assert open_store(target).experiment_id == open_store(target).experiment_id


def test_artifacts_lie_below_the_root(target: Target, store_root: Path) -> None:
    store = open_store(target)
    location = store.client.get_experiment(store.experiment_id).artifact_location
    assert location == (store_root / "artifacts" / target.experiment).as_uri()


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
