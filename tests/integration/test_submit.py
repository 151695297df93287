"""Submitting to a real cluster of one node that asks for a token, from a process that is no part of it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TOKEN = "ab" * 32
# Of the machine that submits; they must not travel.
PLANTED = {"AWS_SECRET_ACCESS_KEY": "planted-5e1b0001", "HF_TOKEN": "hf_planted5e1b0002"}
READY_WITHIN_S = 180.0
JOB = """
name: mine
data: {kind: image_folder, path: photos}
strategy: {freeze: 1.0, resolution: 32, lr: {loguniform: [1.0e-3, 1.0e-1]}}
training: {epochs: 8, final_on: train}
search: {scheduler: none, budget: {trials: 4}}
resources: {concurrent_trials: 1}
export: {register: false}
"""


@dataclass(frozen=True)
class Head:
    """A cluster, and how a machine outside it is set up."""

    address: str
    home: Path
    environment: Mapping[str, str]

    def graft(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        code = "from graft.cli.main import main; main()"
        command = [sys.executable, "-c", code, *arguments, "--address", self.address]
        outside = {**self.environment, **environment}
        return subprocess.run(command, capture_output=True, text=True, env=outside, timeout=600, check=False)

    def json(self, *arguments: str) -> Any:
        done = self.graft(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    # Ray puts sockets below its directory, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="gs") as root:
        port, home = free_port(), Path(root) / "home"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "HOME": root}
        on_node = {
            **environment,
            "GRAFT_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
        start += [
            "--port",
            str(free_port()),
            "--num-cpus",
            "2",
            "--resources",
            '{"safe": 16}',
            "--temp-dir",
            f"{root}/r",
        ]
        start += ["--dashboard-agent-listen-port", str(free_port())]  # the usual one may be taken, by another cluster
        start += ["--dashboard-host", "127.0.0.1", "--dashboard-port", str(port), "--include-dashboard", "true"]
        with (Path(root) / "log.txt").open("w") as log:
            ray = subprocess.Popen(start, env=on_node, stdout=log, stderr=log, start_new_session=True)
        cluster = Head(f"http://127.0.0.1:{port}", home, {**environment, **PLANTED})
        try:
            wait_until(lambda: cluster.graft("jobs", "ls").returncode == 0)
            yield cluster
        finally:
            ray.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                ray.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(ray.pid, signal.SIGKILL)


def wait_until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while not happened():
        assert time.monotonic() < until, "it has not happened"
        time.sleep(1)


@pytest.fixture(scope="module")
def job_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with photos of its own beside it."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(0)
    for label, level in (("dark", 60), ("light", 180)):
        (folder / "photos" / label).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(level - 40, level + 40, (24, 24), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / label / f"{number}.png")
    (folder / "job.yaml").write_text(JOB)
    return folder / "job.yaml"


def test_a_job_with_data_of_its_own_runs_once_and_is_followed(head: Head, job_file: Path) -> None:
    sent = head.json("submit", str(job_file), "--experiment", "first")
    assert sent == {"job_id": "graft-first", "experiment": "first", "address": head.address}
    assert head.json("submit", str(job_file), "--experiment", "first") == sent
    followed = head.graft("jobs", "logs", "-f", "first")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert "winner      t0" in followed.stdout
    assert [one["status"] for one in head.json("jobs", "ls") if one["experiment"] == "first"] == ["SUCCEEDED"]
    assert json.loads((head.home / "experiments" / "first" / "result.json").read_text())["status"] == "completed"
    status = head.json("status", "first")
    assert (status["state"], status["trials"]["total"], status["job"]["status"]) == ("completed", 4, "SUCCEEDED")
    assert len(head.json("jobs", "ls")) == 1
    assert told_secrets(head) == []
    assert [one.name for one in (head.home / "uploads").glob("*/*")] == ["photos"]


def told_secrets(head: Head) -> list[str]:
    """Where secrets of the submitting machine, and the token, stand: in what Ray shows and logs, and in the home."""
    secrets = [TOKEN.encode(), *(text.encode() for text in PLANTED.values())]
    files = [path for path in head.home.parent.rglob("*") if path.is_file() and path.name != "auth_token"]
    assert any("session_" in str(path) for path in files), "Ray's logs are looked at too"
    found = [str(path) for path in files if any(text in path.read_bytes() for text in secrets)]
    shown = json.dumps(
        [head.json("jobs", "ls"), head.json("jobs", "status", "first"), head.graft("jobs", "logs").stdout]
    )
    return found + [text.decode() for text in secrets if text in shown.encode()]


def test_a_stopped_job_goes_on_and_trains_nothing_twice(head: Head, job_file: Path) -> None:
    head.json("submit", str(job_file), "--experiment", "second", "--set", "search.budget.trials=8")
    journal = head.home / "experiments" / "second" / "journal.jsonl"
    wait_until(lambda: journal.exists() and '"kind":"TrialFinished"' in journal.read_text())
    assert head.json("jobs", "stop", "second")["stopped"]
    wait_until(lambda: head.json("jobs", "status", "second")["is_over"])
    assert head.json("jobs", "resume", "second")["job_id"] == "graft-second-r1"
    followed = head.graft("jobs", "logs", "-f", "second")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    result = json.loads((head.home / "experiments" / "second" / "result.json").read_text())
    assert (result["status"], result["retrained"], result["trials"]["total"]) == ("completed", 0, 8)


def test_a_job_that_fails_ends_with_its_own_exit_code(head: Head, job_file: Path) -> None:
    done = head.graft("submit", str(job_file), "--experiment", "third", "--wait", "--set", "data.path=/nowhere")
    assert done.returncode == 2
    done = head.graft(
        "submit", str(job_file), "--experiment", "third", "--wait", "--set", "data.path=/nowhere", "--data-on-cluster"
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "/nowhere" in done.stdout


def test_another_token_and_none_are_one_line(head: Head) -> None:
    for token, told in (("cd" * 32, "the one that is set is another"), ("", "none is set here")):
        done = head.graft("jobs", "ls", RAY_AUTH_TOKEN=token)
        assert done.returncode == 3
        assert done.stderr.count("\n") == 1
        assert told in done.stderr
