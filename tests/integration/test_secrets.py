"""Secrets of the environment are planted, and looked for in all that runs leave: one that ends well, one that fails."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graft.tracking.relay_files import RelayFiles, RelayState

pytestmark = [pytest.mark.slow, pytest.mark.ray]

ARRIVES_WITHIN_S = 600.0
JOB = """
name: quiet
data: {kind: digits, limit: 200}
strategy: {freeze: 1.0, resolution: 32}
training: {epochs: 1, final_on: train}
search: {scheduler: none, budget: {trials: 2}}
resources: {concurrent_trials: 1}
"""
# A name each of what stores, hubs, trackers and Ray are told by, with a text that is nowhere else.
PLANTED = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTED000000001",
    "AWS_SECRET_ACCESS_KEY": "planted-7f3a0002",
    "AWS_SESSION_TOKEN": "planted-7f3a0003",
    "AZURE_STORAGE_ACCOUNT_KEY": "planted-7f3a0004",
    "AZURE_STORAGE_SAS_TOKEN": "sv=2026&sig=planted-7f3a0011",
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=planted-7f3a0012;",
    "AZURE_CLIENT_SECRET": "planted-7f3a0013",
    "HF_TOKEN": "hf_planted7f3a0005",
    "MLFLOW_TRACKING_PASSWORD": "planted-7f3a0006",
    "MLFLOW_TRACKING_TOKEN": "planted-7f3a0007",
    "RAY_AUTH_TOKEN": "7f3a0008" * 8,
    "DATABASE_URL": "postgresql://ada:planted-7f3a0009@db/mlflow",
    "MY_PASSWORD": "planted-7f3a0010",
}
_PLANTED = re.compile(r"planted-\w+")


def secrets() -> list[bytes]:
    """What is looked for: of an address or a setting with other parts, the secret alone."""
    return [(found[0] if (found := _PLANTED.search(text)) else text).encode() for text in PLANTED.values()]


def holding(folder: Path) -> Iterator[tuple[str, str]]:
    """Files below a folder that hold a secret, with its name."""
    names = dict(zip(secrets(), PLANTED, strict=True))
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        yield from ((str(path.relative_to(folder)), name) for text, name in names.items() if text in content)


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "from graft.cli.main import main; main()"
    command = [sys.executable, "-c", code, "--debug", "run", str(folder / "job.yaml"), "--json", *arguments]
    environment = {**os.environ, **PLANTED, "GRAFT_HOME": str(folder / "home")}
    environment.pop("RAY_AUTH_MODE", None)
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def arrived(experiment: Path) -> None:
    """Wait until all records are in MLflow; on a busy machine a run does not wait for the last of them."""
    until = time.monotonic() + ARRIVES_WITHIN_S
    while (state := RelayFiles(experiment).read_status().state) is not RelayState.DONE:
        assert time.monotonic() < until, state
        time.sleep(0.5)


def test_secrets_are_told_nowhere(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    good, bad = run(tmp_path), run(tmp_path, "--set", "search.budget.minutes=0.0001")
    assert good.returncode == 0, good.stdout + good.stderr
    assert bad.returncode == 3, bad.stdout + bad.stderr
    for experiment in (tmp_path / "home" / "experiments").iterdir():
        arrived(experiment)
    assert "before the search could begin" in bad.stdout
    home = tmp_path / "home"
    kept = {path.suffix or path.name for path in home.rglob("*") if path.is_file()}
    assert kept >= {".db", ".jsonl", ".txt", ".log", ".out", ".yaml", ".json"}, "else little was looked at"
    assert list(home.rglob("ray-logs/*")), "a run that failed keeps Ray's own logs"
    assert list(holding(home)) == []
    printed = "".join(done.stdout + done.stderr for done in (good, bad)).encode()
    assert [text for text in secrets() if text in printed] == []


def test_what_is_planted_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"told {PLANTED['HF_TOKEN']} to everybody")
    assert list(holding(tmp_path)) == [("a.log", "HF_TOKEN")]
