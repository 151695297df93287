"""A tracking store that is a file: whole or not there, made anew where it was left half made, refused in a line."""

import shutil
import sqlite3
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from graft.core.errors import TrackingError
from graft.core.uris import sqlite_uri
from graft.tracking.mlflow import embedded_database as module
from graft.tracking.mlflow.store import open_store
from graft.tracking.target import Target


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

    monkeypatch.setattr(module, "MlflowClient", die)
    with pytest.raises(Dies):
        open_store(Target(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path))
    assert not (tmp_path / "mlflow.db").exists()


def opened(database: Path) -> str:
    return open_store(Target(f"sqlite:///{database}", "x", database.parent)).experiment_id


@pytest.fixture
def whole(target: Target, tmp_path: Path) -> Path:
    """A database that is whole, and has nothing in it but an experiment of MLflow's own."""
    open_store(target)
    database = tmp_path / "copy" / "mlflow.db"
    database.parent.mkdir()
    with sqlite3.connect(str(target.database())) as connection, sqlite3.connect(database) as other:
        connection.backup(other)
        other.execute("DELETE FROM experiments WHERE name <> 'Default'")
        for table in module._KEPT:  # other tests have the same store
            other.execute(f"DELETE FROM {table}")
    return database


def test_a_whole_database_without_runs_stays(whole: Path) -> None:
    opened(whole)
    assert not whole.with_name("mlflow.db.half-made").exists()


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_a_database_that_was_left_half_made_is_made_anew(
    whole: Path, spoil: str, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(whole) as connection:
        connection.execute(spoil)
    ready = tmp_path / "ready.db"
    with sqlite3.connect(str(target.database())) as connection, sqlite3.connect(ready) as other:
        connection.backup(other)
    monkeypatch.setattr(module, "_make", lambda database: shutil.copyfile(ready, database))
    assert opened(whole)
    assert whole.with_name("mlflow.db.half-made").exists()


def test_one_with_runs_whose_tables_are_not_right_is_refused_and_stays(whole: Path, target: Target) -> None:
    with sqlite3.connect(whole) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'nothing'")
        connection.execute("INSERT INTO runs (run_uuid, experiment_id) VALUES ('r', 0)")
    told = r"cannot be opened \(.*if another version of MLflow wrote it, .* `graft track sync` makes it anew"
    with pytest.raises(TrackingError, match=told):
        opened(whole)
    assert not whole.with_name("mlflow.db.half-made").exists()
    with sqlite3.connect(whole) as connection:
        assert connection.execute("SELECT COUNT(*) FROM runs").fetchone() == (1,)


def test_a_foreign_database_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("mlflow.db").write_text("this is no database, whatever its name says" * 100)
    with pytest.raises(TrackingError, match="cannot be"):
        open_store(Target(f"sqlite:///{tmp_path / 'mlflow.db'}", "x", tmp_path))


def test_a_directory_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(TrackingError, match="choose another --home"):
        open_store(Target(f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", "x", tmp_path))


def test_files_are_found_where_the_home_is_now(tmp_path: Path) -> None:
    before, after = tmp_path / "it's before", tmp_path / "after, é"
    store = open_store(home_at(before))
    run = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run, "told", "notes/a.txt")
    store.client.create_registered_model("m")
    store.client.create_model_version("m", f"{store.client.get_run(run).info.artifact_uri}/notes", run)
    shared = tmp_path / "shared" / "files"
    shared.mkdir(parents=True)
    store.client.create_experiment("other", artifact_location=shared.as_uri())
    before.rename(after)
    client = open_store(home_at(after)).client
    place = path_of(client.get_run(run).info.artifact_uri)
    assert place == after / "mlartifacts" / "ex" / run / "artifacts"
    assert (place / "notes" / "a.txt").is_file()
    assert path_of(client.get_model_version_download_uri("m", "1")) == place / "notes"
    assert client.get_experiment_by_name("other").artifact_location == shared.as_uri()
    assert not before.exists()


def test_the_files_of_a_copy_are_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    store = open_store(home_at(first))
    run = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run, "told", "a.txt")
    shutil.copytree(first, second)
    for home in (second, first):
        assert path_of(open_store(home_at(home)).client.get_run(run).info.artifact_uri).is_relative_to(home)


def home_at(home: Path) -> Target:
    return Target(sqlite_uri(home / "mlflow.db"), "ex", home / "mlartifacts")


def path_of(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))
