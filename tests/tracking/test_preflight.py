"""What shows of a store without asking it."""

import socket
from pathlib import Path

import pytest

from graft.core.errors import ArtifactError, TrackingError
from graft.core.storage import Home
from graft.spec.load import parse_job
from graft.tracking import preflight
from graft.tracking.preflight import check_target, foreign_settings
from graft.tracking.target import Target, target_of


@pytest.fixture
def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "postgresql", "mysql+pymysql"])
def test_a_store_that_does_not_answer_is_told_at_once(scheme: str, free_port: int) -> None:
    note = check_target(Target(f"{scheme}://me:canary@127.0.0.1:{free_port}/db", "x"), "digits")
    assert note.startswith(f"tracking store {scheme}://***@127.0.0.1:{free_port}/db does not answer; the run goes on")
    assert "graft track sync" in note


def test_a_server_that_is_none_of_mlflow_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "is_up", lambda _: False)
    assert "does not answer" in check_target(Target("http://host", "x"), None)


def test_a_new_home_has_nothing_to_ask(tmp_path: Path) -> None:
    assert check_target(target_of(Home(tmp_path), parse_job({"name": "x", "data": "digits"})), "x", True) == ""
    assert not list(tmp_path.iterdir())


def test_a_database_needs_a_place(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrackingError, match=r"cannot be made in .*/file; choose another tracking.uri"):
        check_target(Target(f"sqlite:///{tmp_path}/file/x.db", "x"), None)


def test_a_home_whose_uri_is_too_long_for_mlflow() -> None:
    home = Home(Path("/", *["数" * 80] * 3))
    with pytest.raises(TrackingError, match=r"has .* characters as URI, but MLflow stores at most 2048"):
        check_target(target_of(home, parse_job({"name": "x", "data": "digits"})), None)


def test_artifacts_behind_a_link_out_of_the_home_are_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.artifact_root.mkdir(parents=True)
    (home.artifact_root / "x").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match="leads out of"):
        check_target(target_of(home, parse_job({"name": "x", "data": "digits"})), None)


def test_what_the_shell_says_otherwise_is_told() -> None:
    target = Target("sqlite:////home/mlflow.db", "digits")
    told = foreign_settings(target, {"MLFLOW_TRACKING_URI": "http://me:canary@host", "MLFLOW_EXPERIMENT_NAME": "other"})
    assert told == [
        "MLFLOW_TRACKING_URI is http://***@host, but runs are recorded in sqlite:////home/mlflow.db, as the job says; "
        "set tracking.uri to have them there",
        "MLFLOW_EXPERIMENT_NAME is other, but runs are recorded in digits, as the job says; "
        "set tracking.experiment to have them there",
    ]
    same = {"MLFLOW_TRACKING_URI": target.uri, "MLFLOW_EXPERIMENT_NAME": "digits"}
    assert foreign_settings(target, same) == foreign_settings(target, {"MLFLOW_TRACKING_URI": ""}) == []


def test_where_the_files_of_a_store_lie(tmp_path: Path) -> None:
    home = Home(tmp_path)

    def root(uri: str | None) -> Path | None:
        return target_of(home, parse_job({"name": "x", "data": "digits", "tracking": {"uri": uri}})).artifact_root

    assert root(None) == home.artifact_root
    assert root("sqlite:////srv/a%20b/x.db") == Path("/srv/a b/mlartifacts")
    assert root("postgresql://host/db") == home.artifact_root
    assert root("http://host") is None
