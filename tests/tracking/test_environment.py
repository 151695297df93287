"""What a user's shell holds changes nothing of where, as what and how graft records; the way to a store is kept."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from graft.tracking.environment import python_module, relay_environment, server_environment
from graft.tracking.server import server_command
from graft.tracking.ui import ui_server

FOREIGN = {
    "MLFLOW_TRACKING_URI": "http://elsewhere",
    "MLFLOW_REGISTRY_URI": "http://elsewhere",
    "MLFLOW_EXPERIMENT_NAME": "other",
    "MLFLOW_EXPERIMENT_ID": "99",
    "MLFLOW_RUN_ID": "abc",
    "MLFLOW_RUN_CONTEXT": "{}",
    "MLFLOW_ACTIVE_MODEL_ID": "m-1",
    "MLFLOW_BACKEND_STORE_URI": "sqlite:////x",
    "MLFLOW_REGISTRY_STORE_URI": "sqlite:////x",
    "MLFLOW_STATIC_PREFIX": "/x",
    "MLFLOW_DEFAULT_ARTIFACT_ROOT": "/x",
    "MLFLOW_ARTIFACTS_DESTINATION": "/x",
    "MLFLOW_ARTIFACTS_ONLY": "true",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE": "true",
    "MLFLOW_UVICORN_OPTS": "--reload",
    "MLFLOW_WORKSPACE_STORE_URI": "x",
    "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH": "1",
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
    "_MLFLOW_SERVER_BOOT_ID": "x",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "true",
    "MLFLOW_TRACKING_DIR": "/x",
}
OURS = {"MLFLOW_ENABLE_ASYNC_LOGGING": "false", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
WAY = {
    "MLFLOW_TRACKING_USERNAME": "me",
    "MLFLOW_TRACKING_PASSWORD": "x",
    "MLFLOW_TRACKING_TOKEN": "x",
    "MLFLOW_S3_ENDPOINT_URL": "x",
    "MLFLOW_TRACKING_INSECURE_TLS": "true",
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "/x",
    "MLFLOW_TRACKING_CLIENT_CERT_PATH": "/x",
    "MLFLOW_WORKSPACE": "team",
    "MLFLOW_ENABLE_WORKSPACES": "true",
    "MLFLOW_HTTP_POOL_MAXSIZE": "9",
    "AWS_PROFILE": "x",
    "MLFLOW_TRACKING_AWS_SIGV4": "true",
    "MLFLOW_MYSQL_SSL_CA": "/x",
    "HTTPS_PROXY": "http://proxy",
}


def test_a_relay_keeps_the_way_to_its_store_and_nothing_else() -> None:
    found = relay_environment({**FOREIGN, **WAY, **dict.fromkeys(OURS, "true"), "HOME": "/home/me"})
    assert not FOREIGN.keys() & found.keys()
    assert {**WAY, **OURS, "HOME": "/home/me"}.items() <= found.items()


def test_a_server_on_the_embedded_store_keeps_nothing_of_mlflow() -> None:
    found = server_environment({**FOREIGN, **WAY, **dict.fromkeys(OURS, "true"), "HOME": "/home/me"})
    assert not (FOREIGN.keys() | {name for name in WAY if name.startswith("MLFLOW_")}) & found.keys()
    assert {**OURS, "HOME": "/home/me", "AWS_PROFILE": "x"}.items() <= found.items()


@pytest.mark.parametrize("environment", [relay_environment, server_environment])
def test_a_package_of_others_is_found_and_the_working_directory_is_not(tmp_path: Path, environment: object) -> None:
    here, package = tmp_path / "here", tmp_path / "package"
    for directory, module in ((here, "lies_here"), (package, "third_party")):
        directory.mkdir()
        directory.joinpath(f"{module}.py").touch()
    here.joinpath("graft.py").write_text("raise SystemExit('the wrong one')")
    look = (
        "import importlib.util as i, graft; print([i.find_spec(m) is not None for m in ('lies_here', 'third_party')])"
    )
    here.joinpath("shown.py").write_text("raise SystemExit('the wrong one')")
    package.joinpath("shown.py").write_text(
        f"import subprocess, sys\nexec({look!r})\nsys.stdout.flush()\nsubprocess.run([sys.executable, '-c', {look!r}])"
    )
    assert callable(environment)
    settings = environment({**os.environ, "PYTHONPATH": str(package)})
    done = subprocess.run(python_module("shown"), cwd=here, env=settings, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[False, True]"] * 2  # in the process, and in one that it starts


def test_relay_and_server_find_modules_by_one_rule() -> None:
    names = ("PYTHONPATH", "PYTHONSAFEPATH")
    given = {"PYTHONPATH": f"/a{os.pathsep}/b"}
    relay, server = relay_environment(given), server_environment(given)
    assert [relay[name] for name in names] == [server[name] for name in names]
    assert relay["PYTHONPATH"].endswith(f"/a{os.pathsep}/b")
    assert python_module("x")[:2] == (sys.executable, "-P")


def test_every_process_of_ours_follows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**FOREIGN, "PYTHONPATH": "/third/party"}.items():
        monkeypatch.setenv(name, value)
    for server in (ui_server("sqlite:////x.db", tmp_path), server_command("sqlite:////x.db", tmp_path)):
        assert server.command[1:3] == ("-P", "-m")
        assert server.environment["PYTHONPATH"] == relay_environment()["PYTHONPATH"]
        assert server.environment["PYTHONSAFEPATH"] == "1"
        kept = {name for name in FOREIGN if server.environment.get(name) == FOREIGN[name]}
        assert not kept
