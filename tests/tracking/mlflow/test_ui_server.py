"""MLflow's own application behind the gate, in this process; no port is opened."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client

from graft.tracking.mlflow.registration import ModelPackage, register
from graft.tracking.mlflow.ui_server import gated_application, main
from graft.tracking.relay import sync
from graft.tracking.target import Target
from graft.tracking.ui import TOKEN_VARIABLE
from graft.tracking.ui_gate import Gate

TOKEN, PORT = "the-token", 5000
HERE = {"base_url": f"http://127.0.0.1:{PORT}"}
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
API = "/api/2.0/mlflow"


@pytest.fixture
def client(experiment_dir: Path, target: Target, told: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Client:
    """A store with a registered champion, and the user interface on it."""
    from mlflow.server import constants, handlers
    from mlflow.tracking._tracking_service import utils

    told()
    sync(experiment_dir, target)
    bundle = experiment_dir / "bundle"
    bundle.mkdir()
    (bundle / "manifest.json").write_text("{}")
    register(
        experiment_dir, target, ModelPackage(bundle, "digits", "graft.no_loader", (), {"x": "string"}, {"y": "string"})
    )
    for name in ("_tracking_store", "_model_registry_store", "_artifact_repo"):
        monkeypatch.setattr(handlers, name, None)
    # Starting it makes its store the process's own, also by the environment.
    monkeypatch.setattr(utils, "_tracking_uri", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", target.uri)
    for name in vars(constants).values():
        if isinstance(name, str) and name.startswith("_MLFLOW_SERVER"):
            monkeypatch.setenv(name, "")
    assert target.artifact_root is not None
    return Client(gated_application(target.uri, target.artifact_root, Gate(TOKEN, PORT)))


def test_the_champion_can_be_looked_at_and_not_replaced(client: Client, target: Target) -> None:
    def ask(path: str, method: str = "GET", headers: Any = AUTHORIZED, **how: Any) -> Any:
        return client.open(path, method=method, headers=headers, **HERE, **how)

    alias = f"{API}/registered-models/alias?name=digits&alias=champion"
    assert ask(alias).json["model_version"]["version"] == "1"
    assert ask(alias, headers={}).status_code == 401
    source = ask(f"{API}/model-versions/get-download-uri?name=digits&version=1").json["artifact_uri"]
    place = f"/api/2.0/mlflow-artifacts/artifacts/{Path(source).name}/data/bundle/manifest.json"
    before = {path: path.read_bytes() for path in target.artifact_root.rglob("*") if path.is_file()}
    attacks: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", place, {"data": b"evil"}),
        ("PUT", "/api/2.0/mlflow-artifacts/artifacts/new", {"data": b"evil"}),
        ("DELETE", place, {}),
        ("POST", f"{API}/experiments/create", {"json": {"name": "evil", "artifact_location": "file:///"}}),
        ("POST", f"{API}/model-versions/create", {"json": {"name": "digits", "source": "/tmp"}}),
        ("POST", f"{API}/registered-models/alias", {"json": {"name": "digits", "alias": "champion", "version": "9"}}),
        ("DELETE", alias, {}),
    ]
    for method, path, how in attacks:
        assert ask(path, method, {}, **how).status_code == 401
        assert ask(path, method, **how).status_code == 403
    assert {path: path.read_bytes() for path in target.artifact_root.rglob("*") if path.is_file()} == before
    assert ask(alias).json["model_version"]["version"] == "1"
    shown = ask(f"{API}/experiments/get-by-name?experiment_name={target.experiment}").json["experiment"][
        "experiment_id"
    ]
    assert len(ask(f"{API}/runs/search", "POST", json={"experiment_ids": [shown]}).json["runs"]) == 5
    assert b"<html" in ask("/").data.lower()


def test_it_does_not_start_without_a_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert main(["--uri", "sqlite:////x.db", "--artifact-root", str(tmp_path), "--port", "5000"]) == 2


def test_it_ends_when_nobody_holds_its_input_open_any_more(tmp_path: Path) -> None:
    environment = {**os.environ, TOKEN_VARIABLE: TOKEN, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = ["--uri", f"sqlite:///{tmp_path}/x.db", "--artifact-root", str(tmp_path), "--port", "0"]
    command = [sys.executable, "-m", "graft.tracking.mlflow.ui_server", *arguments]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        server.communicate()
    assert server.returncode == 0
