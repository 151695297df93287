"""Runs with a home in a store: nodes that share no directory, resumes from other machines, faults of the store."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from graft.chaos.environment.own_cluster import OwnCluster
from graft.chaos.environment.processes import MARK
from graft.core.stores.home_path import COPIES

pytestmark = [pytest.mark.ray, pytest.mark.slow]

GRAFT = str(Path(sys.executable).with_name("graft"))
DIGITS = {
    "name": "small",
    "data": {"kind": "digits", "limit": 240},
    "strategy": {"resolution": 32, "freeze": {"choice": [0.8, 1.0]}, "lr": {"loguniform": [1.0e-3, 1.0e-1]}},
    "training": {"epochs": 3},
    "export": {"register": False},
}
ASHA = {"search": {"scheduler": {"kind": "asha", "reduction_factor": 3}, "budget": {"trials": 4}}}
POPULATION = {"training": {"epochs": 6}, "search": {"scheduler": "pbt", "population": 4}}
DISTRIBUTED = {"resources": {"workers": 2}, "search": {"budget": {"trials": 2}}}


@dataclass(frozen=True)
class Machine:
    """Somewhere a user types commands: with a directory of copies of its own, and nothing else in common."""

    name: str
    root: Path
    environment: Mapping[str, str]

    def graft(self, *arguments: str, expects: int = 0) -> str:
        """What a command prints."""
        done = subprocess.run(
            [GRAFT, *arguments], capture_output=True, text=True, check=False, env=self.variables, cwd=self.root
        )
        assert done.returncode == expects, done.stdout[-3000:] + done.stderr[-6000:]
        return done.stdout if expects == 0 else done.stderr

    def run(self, job: Path, home: str, *more: str) -> dict[str, Any]:
        """The result of a run."""
        return json.loads(self.graft("run", str(job), "--home", home, "--json", *more).strip().splitlines()[-1])

    @property
    def copies(self) -> Path:
        return self.root / f"copies-{self.name}"

    @property
    def variables(self) -> dict[str, str]:
        """Its environment."""
        return {**self.environment, COPIES: str(self.copies)}


@pytest.fixture
def environment(s3, tmp_path: Path) -> dict[str, str]:
    given = {**os.environ, MARK: str(tmp_path), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path / "nobody")}
    given.pop("GRAFT_HOME", None)
    return given


@pytest.fixture
def cluster(environment: dict[str, str], tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Two nodes that work, one that does not, and what a driver's environment needs to join them."""
    of_node = {number: {COPIES: str(tmp_path / f"copies-node-{number}")} for number in range(3)}
    with OwnCluster(environment, 1, 2, of_node.__getitem__) as nodes:
        yield nodes.settings


def job_file(root: Path, *parts: Mapping[str, Any]) -> Path:
    job: dict[str, Any] = dict(DIGITS)
    for part in parts:
        job |= part
    path = root / "job.yaml"
    path.write_text(yaml.safe_dump(job))
    return path


def alike(result: Mapping[str, Any]) -> dict[str, Any]:
    """What has to be the same wherever a job runs."""
    return {name: result[name] for name in ("winner", "winner_trial", "validation", "test", "trials")}


@pytest.mark.parametrize("search", [ASHA, POPULATION, DISTRIBUTED], ids=["asha", "population", "distributed"])
def test_nodes_that_share_no_directory_find_what_one_machine_finds(
    search: dict[str, Any], cluster: Mapping[str, str], environment: dict[str, str], s3, tmp_path: Path
) -> None:
    job, home = job_file(tmp_path, search), s3.at("some/home")
    there = Machine("laptop", tmp_path, {**environment, **cluster}).run(job, home)
    assert (there["status"], there["trials"]["failed"]) == ("completed", 0)
    used = [number for number in (1, 2) if any((tmp_path / f"copies-node-{number}").rglob("*.safetensors"))]
    assert used == [1, 2]
    another = Machine("another", tmp_path, environment)
    assert "completed" in another.graft("status", "small", "--home", home)
    assert json.loads(another.graft("leaderboard", "small", "--home", home, "--json"))
    here = Machine("alone", tmp_path, environment).run(job, str(tmp_path / "directory"))
    assert alike(there) == alike(here)
