"""The MLflow server of deploy/mlflow with PostgreSQL and logins: installed as its image is; a whole run is logged."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.postgresql import Database, free_port, postgresql

from graft.tracking.relay_files import RelayFiles, RelayState

pytestmark = [pytest.mark.slow, pytest.mark.ray]

READY_WITHIN_S = 300.0
# Each is planted once, and looked for everywhere afterwards.
DATABASE_PASSWORD, ADMIN_PASSWORD, SESSION_KEY = "dbpw-7c1e4f90", "admpw-7c1e4f91-long", "sesskey-7c1e4f92"
JOB = """
name: served
data: {kind: digits, limit: 300}
strategy: {freeze: 1.0, resolution: 32, lr: {loguniform: [1.0e-3, 1.0e-1]}}
training: {epochs: 2, final_on: train}
search: {scheduler: none, budget: {trials: 3}}
resources: {concurrent_trials: 1}
"""


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        uri: where.
        database: behind it.
        folder: where it was installed, with its log and its artifacts.
    """

    uri: str
    database: Database
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "server.log"


@pytest.fixture(scope="module")
def installed(deploy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile's steps make, with its folder /opt/mlflow here."""
    folder = tmp_path_factory.mktemp("image") / "mlflow"
    source = (deploy / "mlflow" / "Dockerfile").read_text()
    step = re.search(r"^RUN (python -m venv(?:\\\n|.)*)", source, re.MULTILINE)
    copied = re.search(r"^COPY ((?:\w[\w.]* )+)/opt/mlflow/$", source, re.MULTILINE)
    assert step
    assert copied
    script = (
        step[1]
        .replace("/opt/mlflow", str(folder))
        .replace("/requirements.txt", str(deploy / "mlflow" / "requirements.txt"))
    )
    # The image keeps no cache; a machine may.
    script = script.replace("--no-cache-dir ", "").replace("python -m", f"{sys.executable} -m")
    done = subprocess.run(["sh", "-ceu", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in copied[1].split():
        shutil.copy(deploy / "mlflow" / name, folder)
    return folder


@pytest.fixture(scope="module")
def served(installed: Path) -> Iterator[Served]:
    with postgresql(DATABASE_PASSWORD) as database:
        port = free_port()
        one = Served(f"http://127.0.0.1:{port}", database, installed)
        environment = {
            **database.environment,
            "PATH": f"{installed / 'bin'}:{os.environ['PATH']}",
            "HOME": str(installed),
            "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": SESSION_KEY,
            "MLFLOW_HOST": "127.0.0.1",
            "MLFLOW_PORT": str(port),
            "MLFLOW_WORKERS": "1",
            "MLFLOW_ALLOWED_HOSTS": f"127.0.0.1:{port}",
            "MLFLOW_ARTIFACTS": str(installed / "artifacts"),
        }
        with one.log.open("w") as log:
            server = subprocess.Popen(
                [str(installed / "start")], env=environment, stdout=log, stderr=log, cwd=installed
            )
        try:
            until = time.monotonic() + READY_WITHIN_S
            while not is_healthy(one.uri):
                assert server.poll() is None, one.log.read_text()
                assert time.monotonic() < until, one.log.read_text()
                time.sleep(0.5)
            yield one
        finally:
            server.terminate()
            server.wait()


def is_healthy(uri: str) -> bool:
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def run(home: Path, job: Path, uri: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    code = "from graft.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        str(job),
        "--json",
        "--home",
        str(home),
        "--set",
        f"tracking.uri={uri}",
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_TRACKING_")}
    return subprocess.run(command, capture_output=True, text=True, env={**clean, **environment}, check=False)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("user") / "job.yaml"
    file.write_text(JOB)
    return file


LOGIN = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": ADMIN_PASSWORD}


@pytest.fixture(scope="module")
def ran(served: Served, job: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    """The home of a whole run that was logged there, and its result."""
    home = tmp_path_factory.mktemp("home")
    done = run(home, job, served.uri, **LOGIN)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    until = time.monotonic() + READY_WITHIN_S  # on a busy machine a run does not wait for the last records
    while (state := RelayFiles(Path(result["experiment_dir"])).read_status().state) is not RelayState.DONE:
        assert time.monotonic() < until, state
        time.sleep(0.5)
    return home, result


def test_a_whole_run_reaches_the_database(served: Served, ran: tuple[Path, Mapping[str, Any]]) -> None:
    _, result = ran
    assert result["tracking_uri"] == served.uri
    assert result["model_uri"] == "models:/served@champion"
    query = served.database.query
    trials = "SELECT count(DISTINCT t.run_uuid) FROM tags t WHERE t.key = 'mlflow.parentRunId'"
    assert int(query(trials)) == result["trials"]["total"] == 3
    assert query("SELECT DISTINCT status FROM runs") == "FINISHED"
    assert query("SELECT name FROM registered_models") == "served"
    assert int(query("SELECT count(*) FROM metrics")) > 20
    assert list((served.folder / "artifacts").rglob("*.safetensors"))


def test_it_does_not_start_with_the_secrets_of_the_example(deploy: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "PGPASSWORD": "x", "MLFLOW_AUTH_ADMIN_PASSWORD": "CHANGE-ME"}
    for more, told in (({}, "SECRET_KEY: is not set"), ({"MLFLOW_FLASK_SERVER_SECRET_KEY": "y"}, "still CHANGE-ME")):
        command = ["sh", str(deploy / "mlflow" / "start")]
        done = subprocess.run(command, env={**environment, **more}, capture_output=True, text=True, check=False)
        assert (done.returncode, told in done.stderr) == (2, True)


def test_without_the_login_nothing_is_told(served: Served, ran: tuple[Path, Mapping[str, Any]]) -> None:
    for path in ("api/2.0/mlflow/experiments/search?max_results=5", "ajax-api/2.0/mlflow/runs/search"):
        with pytest.raises(OSError, match="401"):
            urllib.request.urlopen(f"{served.uri}/{path}", timeout=30)


@pytest.mark.parametrize("login", [{**LOGIN, "MLFLOW_TRACKING_PASSWORD": "another-8d2f"}, {}], ids=["wrong", "none"])
def test_a_login_that_is_refused_is_one_line_before_anything_begins(
    served: Served, job: Path, tmp_path: Path, login: Mapping[str, str]
) -> None:
    done = run(tmp_path, job, served.uri, **login)
    told = json.loads(done.stdout)
    assert done.returncode != 0
    assert len(told["problems"]) == 1
    assert served.uri in told["error"]
    assert "MLFLOW_TRACKING_USERNAME" in told["error"]
    assert "another-8d2f" not in done.stdout + done.stderr
    assert not list((tmp_path / "experiments").glob("*/journal.jsonl"))


def test_no_password_is_anywhere(served: Served, ran: tuple[Path, Mapping[str, Any]]) -> None:
    home, result = ran
    secrets = [DATABASE_PASSWORD, ADMIN_PASSWORD, SESSION_KEY]
    texts = {
        "dump of the database": served.database.dump(),
        "result": json.dumps(result),
        "log": served.log.read_text(),
    }
    files = [path for folder in (home, served.folder / "artifacts") for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    told = [name for name, text in texts.items() if any(secret in text for secret in secrets)]
    assert told == []
    assert [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)] == []


def test_a_backup_can_be_restored(
    served: Served, ran: tuple[Path, Mapping[str, Any]], deploy: Path, tmp_path: Path
) -> None:
    """By the commands of the Kubernetes resources, against the server's own tables."""
    folder = deploy / "kubernetes"
    documents = [*yaml.safe_load_all((folder / "base" / "backup.yaml").read_text())]
    backup = next(one for one in documents if one["kind"] == "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    restore = yaml.safe_load((folder / "jobs" / "restore.yaml").read_text())["spec"]["template"]
    script, back = (
        one["spec"]["containers"][0]["args"][0].replace("/backups", str(tmp_path)) for one in (backup, restore)
    )
    written = served.database.shell(script).strip()
    assert Path(written).parent == tmp_path
    served.database.query("CREATE DATABASE other")
    served.database.shell(back, PGDATABASE="other")
    there = served.database.shell("psql -XtAc 'SELECT count(*) FROM metrics'", PGDATABASE="other").strip()
    assert there == served.database.query("SELECT count(*) FROM metrics")
