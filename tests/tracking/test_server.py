import contextlib
import re
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import ResourceError, SpecError
from graft.tracking.comparison_view import view_key
from graft.tracking.mlflow.registration import ModelPackage, fetch_bundle, find_run, register
from graft.tracking.mlflow.store import MlflowClient
from graft.tracking.relay import sync
from graft.tracking.server import (
    ServerCommand,
    compare_url,
    experiment_url,
    is_up,
    require_free_port,
    server_command,
    view_url,
)
from graft.tracking.target import Target


@pytest.fixture
def taken_port() -> Iterator[int]:
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with contextlib.closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def test_the_tracking_server_is_for_this_machine_only(tmp_path: Path) -> None:
    server = server_command("sqlite:////x.db", tmp_path, 5001)
    line = " ".join(server.command)
    assert "--host 127.0.0.1 --port 5001 --workers 1" in line
    assert "--allowed-hosts localhost:5001,127.0.0.1:5001" in line
    assert server.environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert server.environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert server.url == "http://127.0.0.1:5001"


def test_links_open_the_table_of_runs() -> None:
    assert experiment_url("http://host:5000/", "7") == (
        "http://host:5000/#/experiments/7/runs?workflowType=machine_learning"
    )


def test_links_open_a_saved_view_with_its_charts() -> None:
    assert view_url("http://host:5000", "7", "digits-1", "trials") == (
        "http://host:5000/#/experiments/7/runs?workflowType=machine_learning"
        f"&viewStateShareKey={view_key('digits-1', 'trials')}&compareRunsMode=CHART"
    )


def test_links_compare_runs_of_several_experiments() -> None:
    assert compare_url("http://host:5000/", [("7", "a"), ("8", "b"), ("7", "c")]) == (
        "http://host:5000/#/compare-runs?runs=%5B%22a%22%2C%22b%22%2C%22c%22%5D&experiments=%5B%227%22%2C%228%22%5D"
    )


def test_a_server_that_does_not_answer_is_not_up(free_port: int) -> None:
    assert not is_up(f"http://127.0.0.1:{free_port}")
    assert not is_up("nonsense")


def test_a_free_port_is_free(free_port: int) -> None:
    require_free_port(free_port)


def test_a_taken_port_is_a_clear_error(taken_port: int) -> None:
    with pytest.raises(ResourceError, match=f"port {taken_port} cannot be used .* choose another with --port"):
        require_free_port(taken_port)


def test_a_port_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ResourceError, match="port 70000"):
        require_free_port(70000)


@pytest.fixture
def running(target: Target, free_port: int, tmp_path: Path) -> Iterator[ServerCommand]:
    find_run(target, "x")  # makes the database
    server = server_command(target.uri, tmp_path / "artifacts", free_port)
    with tmp_path.joinpath("server.log").open("wb") as log:
        process = subprocess.Popen(
            server.command, env=dict(server.environment), stdout=log, stderr=log, start_new_session=True, cwd=tmp_path
        )
    try:
        while not _answers(server.url):
            assert process.poll() is None, tmp_path.joinpath("server.log").read_text()
        yield server
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@pytest.mark.slow
def test_the_server_serves_what_is_shipped_through_it_and_refuses_other_names(
    running: ServerCommand, experiment_dir: Path, told: Callable[..., None], target: Target
) -> None:
    told()
    remote = Target(running.url, f"{target.experiment}-remote")
    sync(experiment_dir, remote)
    sync(experiment_dir, remote, restart=True)
    client = MlflowClient(running.url)
    runs: list[Any] = client.search_runs([find_run(remote, "x")[0]])
    assert len(runs) == 5
    parent = next(run for run in runs if run.info.run_name == "digits-1")
    assert "job.yaml" in {file.path for file in client.list_artifacts(parent.info.run_id)}
    bundle = experiment_dir / "bundle"
    bundle.mkdir()
    bundle.joinpath("manifest.json").write_text("{}")
    package = ModelPackage(bundle, "remote", "graft.no_loader", (), {"path": "string"}, {"label": "string"})
    assert register(experiment_dir, remote, package) == register(experiment_dir, remote, package)
    fetched = fetch_bundle(running.url, "models:/remote@champion", experiment_dir / "fetched")
    assert fetched.joinpath("manifest.json").read_text() == "{}"
    for address, lacks in (
        ("models:/remot", "no model `remot`; did you mean `remote`?"),
        ("models:/remote/7", "no version 7 of `remote`; the newest is models:/remote/1"),
        ("models:/remote@best", "no alias `best` of `remote`; its aliases are @champion (version 1)"),
    ):
        with pytest.raises(SpecError, match=re.escape(f"{running.url} has {lacks}")):
            fetch_bundle(running.url, address, experiment_dir / "fetched")
    page = urllib.request.Request(running.url, headers={"Host": "10.evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(page)
