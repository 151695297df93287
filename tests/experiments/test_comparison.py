"""Where experiments can be looked at side by side; what they have found is tested with the command."""

from pathlib import Path
from typing import Any

import pytest

from graft.core.storage import Home
from graft.experiments.comparison import pages
from graft.experiments.directory import Experiment
from graft.spec.load import parse_job

LOCAL = "http://127.0.0.1:5000"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture(autouse=True)
def stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every store holds every run."""
    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", lambda target, key, run: ("7", f"run-{run}"))


def experiment(home: Home, **tracking: Any) -> Experiment:
    return Experiment.create(home, parse_job({"name": "x", "data": "digits", "tracking": tracking}))


def test_the_home_s_own_store_is_where_the_command_serves_it(home: Home) -> None:
    one, other = experiment(home), experiment(home)
    shown = pages(home, {one: "t01", other: None}, LOCAL)
    assert shown.compare is not None
    assert shown.compare.startswith(f"{LOCAL}/#/compare-runs?runs=%5B%22run-t01%22%2C%22run-%22%5D")
    assert (set(shown.views), shown.problem) == ({one.name, other.name}, "")


def test_a_server_is_named_without_the_login_of_the_job(home: Home) -> None:
    shown = pages(home, {experiment(home, uri="https://me@tracker"): None}, LOCAL)
    ((views, _),) = [(views, name) for name, views in shown.views.items()]
    assert all(url.startswith("https://tracker/#/experiments/7/") for url in views.values())


def test_different_stores_have_no_page_in_common(home: Home) -> None:
    shown = pages(home, {experiment(home): None, experiment(home, uri="https://tracker"): None}, LOCAL)
    assert shown.compare is None
    assert "different tracking stores" in shown.problem
    assert len(shown.views) == 2


def test_a_database_elsewhere_has_no_address(home: Home, tmp_path: Path) -> None:
    shown = pages(home, {experiment(home, uri=f"sqlite:///{tmp_path}/other.db"): None}, LOCAL)
    assert (shown.compare, shown.views) == (None, {})
    assert "start `mlflow server` on it" in shown.problem
