"""A whole run where nothing is as a tidy test has it: the home, the names, the working directory, the shell."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

JOB: dict[str, Any] = {
    "name": "untidy",
    "data": {"kind": "digits", "limit": 120},
    "strategy": {"resolution": 32, "freeze": 1.0},
    "training": {"epochs": 1},
    "search": {"scheduler": "none", "budget": {"trials": 1}},
    "tracking": {"experiment": "/Users/o'neil/a?b"},
    "export": {"model_name": "o'neil@home.v1"},
}
SHELL = {
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
    "MLFLOW_REGISTRY_URI": "sqlite:////nowhere/x.db",
    "MLFLOW_RUN_ID": "abc",
    "MLFLOW_EXPERIMENT_NAME": "other",
    "MLFLOW_EXPERIMENT_ID": "99",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
    "MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH": "3",
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
    "TUNE_RESULT_DIR": "/nowhere",
    "RAY_AIR_LOCAL_CACHE_DIR": "/nowhere",
    "RAY_STORAGE": "/nowhere",
    "TUNE_RESULT_BUFFER_LENGTH": "10",
    "RAY_ADDRESS": "",
}
SHADOWED = ("torch", "ray", "mlflow", "graft", "queue", "types", "random", "email", "sqlalchemy", "requests")


@pytest.fixture
def command(tmp_path: Path) -> Any:
    """A command line as the console script runs it, in a directory full of modules that are none of ours."""
    here = tmp_path / "here"
    here.mkdir()
    for module in SHADOWED:
        (here / f"{module}.py").write_text("raise SystemExit('this is the wrong module')\n")
    source = str(Path(__file__).parents[2] / "platform")
    environment = {**os.environ, **SHELL, "PYTHONPATH": source}

    def run(*arguments: object, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-P", "-c", "from graft.cli.main import main; main()", *map(str, arguments)]
        return subprocess.run(
            line, cwd=here, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )

    return run


def test_a_run_and_what_follows_it(tmp_path: Path, command: Any) -> None:
    home = tmp_path / "a%2Fb?c#d e'f\"gé日"
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(JOB))
    done = command("run", tmp_path / "job.yaml", "--home", home, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["model_uri"] == "models:/o'neil@home.v1@champion"
    assert result["tracking_complete"] is True
    assert "MLFLOW_TRACKING_URI is http://127.0.0.1:9, but runs are recorded in sqlite" in done.stderr
    assert list((home / "mlartifacts").rglob("MLmodel"))
    assert {path.name for path in tmp_path.iterdir()} == {"here", "job.yaml", home.name}
    assert {path.suffix for path in (tmp_path / "here").iterdir()} <= {".py", ""}

    moved = home.rename(tmp_path / "moved")
    resumed = command("resume", "latest", "--home", moved, "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["bundle"].startswith(str(moved))
    assert not home.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_whole_run_whose_output_finds_no_room(tmp_path: Path, command: Any) -> None:
    job = {**JOB, "name": "lost", "tracking": {}, "export": {"register": False}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    with open("/dev/full", "wb") as full:
        done = command("run", tmp_path / "job.yaml", "--home", tmp_path / "home", stdout=full)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("graft: standard output cannot be written (No space left on device)")
    status = json.loads(command("status", "latest", "--home", tmp_path / "home", "--json").stdout)
    assert (status["state"], status["trials"]["completed"]) == ("completed", 1)


def test_a_batch_that_is_larger_than_the_data_is_one_step_of_them_all(tmp_path: Path, command: Any) -> None:
    strategy = {"resolution": 32, "freeze": 1.0, "batch_size": 512}
    job = {**JOB, "name": "few", "strategy": strategy, "tracking": {}, "export": {"register": False}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(job))
    note = (
        "batch_size is 512, but there are 90 training samples: each batch holds all of them, and an epoch is one step"
    )
    assert note in command("validate", tmp_path / "job.yaml").stdout
    done = command("run", tmp_path / "job.yaml", "--home", tmp_path / "home", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["trials"]["completed"], 0.0 <= result["test"] <= 1.0) == (1, True)
