"""Submitting to a real cluster of one node that asks for a token, from a process that is no part of it."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fixtures.clusters import Head, head_with_token, wait_for, wait_until, write_photos

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TOKEN = "ab" * 32
# Of the machine that submits; they must not travel.
PLANTED = {"AWS_SECRET_ACCESS_KEY": "planted-5e1b0001", "HF_TOKEN": "hf_planted5e1b0002"}
JOB = """
name: mine
data: {kind: image_folder, path: photos}
strategy: {freeze: 1.0, resolution: 32, lr: {loguniform: [1.0e-3, 1.0e-1]}}
training: {epochs: 8, final_on: train}
search: {scheduler: none, budget: {trials: 4}}
resources: {concurrent_trials: 1}
export: {register: false}
"""


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    with tempfile.TemporaryDirectory(prefix="gs") as root, head_with_token(Path(root), TOKEN) as made:
        yield replace(made, outside={**made.outside, **PLANTED})


@pytest.fixture(scope="module")
def job_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job with photos of its own beside it."""
    return write_photos(tmp_path_factory.mktemp("user"), JOB, count=30, size=24)


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
    wait_for(head.home / "experiments" / "second" / "journal.jsonl", "TrialFinished")
    assert head.json("jobs", "stop", "second")["stopped"]
    wait_until(lambda: head.json("jobs", "status", "second")["is_over"], "the job has ended")
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
