"""Runs with a home in a store: nodes that share no directory, resumes from other machines, faults of the store."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from tests.fixtures.homes import home_in
from tests.fixtures.stores import Gate

from graft.chaos.environment.own_cluster import OwnCluster
from graft.chaos.environment.processes import MARK, marked
from graft.core.storage import Home
from graft.core.stores.home_path import COPIES
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.journal import read

pytestmark = [pytest.mark.ray, pytest.mark.slow]

GRAFT = str(Path(sys.executable).with_name("graft"))
DIGITS = {
    "name": "small",
    "data": {"kind": "digits", "limit": 240},
    "strategy": {"resolution": 32, "freeze": {"choice": [0.8, 1.0]}, "lr": {"loguniform": [1.0e-3, 1.0e-1]}},
    "training": {"epochs": 3},
    # As many threads on a node with one CPU as on a machine with more: to the last bit.
    "resources": {"cpus_per_worker": 1},
    "export": {"register": False},
}
ASHA = {"search": {"scheduler": {"kind": "asha", "reduction_factor": 3}, "budget": {"trials": 4}}}
POPULATION = {"training": {"epochs": 6}, "search": {"scheduler": "pbt", "population": 4}}
DISTRIBUTED = {"resources": {"cpus_per_worker": 1, "workers": 2}, "search": {"budget": {"trials": 2}}}


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
    def mark(self) -> str:
        """By which what is started there is found."""
        return f"{self.root}/{self.name}"

    @property
    def copies(self) -> Path:
        return self.root / f"copies-{self.name}"

    @property
    def variables(self) -> dict[str, str]:
        """Its environment."""
        return {**self.environment, COPIES: str(self.copies)}


@pytest.fixture
def home(request: pytest.FixtureRequest) -> str:
    """The address of an empty home: in S3, unless a test names another kind of store."""
    return home_in(getattr(request, "param", "s3"), request)


@pytest.fixture
def environment(home: str, tmp_path: Path) -> dict[str, str]:
    given = {**os.environ, MARK: str(tmp_path), "OMP_NUM_THREADS": "1", "HOME": str(tmp_path / "nobody")}
    for name in ("GRAFT_HOME", "GRAFT_MEMORY"):  # the memory is in the home, as it usually is
        given.pop(name, None)
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
    """What has to be the same wherever a job runs; a fit takes all CPUs of a node, and rounds by how many these are."""
    return {name: result[name] for name in ("winner", "winner_trial", "validation")}


def story(machine: Machine, home: str, monkeypatch: pytest.MonkeyPatch) -> list[events.Event]:
    """What the journal in the store says, as a machine sees it; nothing before it is there."""
    monkeypatch.setenv(COPIES, str(machine.copies))
    place = Home.find(home)
    names = Experiment.names(place)
    file = Experiment.at(place, names[0]).journal_file if names else None
    return [event for _, event in read(file)] if file and file.exists() else []


@contextlib.contextmanager
def running(machine: Machine, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on meanwhile; with all that it has started, it is gone afterwards."""
    variables = {**machine.variables, MARK: machine.mark}
    with subprocess.Popen(
        [GRAFT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, cwd=machine.root
    ) as process:
        try:
            yield process
        finally:
            for one in marked(machine.mark):
                one.kill()


def until_reported(process: subprocess.Popen[str], look: Callable[[], list[events.Event]]) -> None:
    """Wait until a trial has reported an epoch."""
    while not any(isinstance(event, events.TrialReported) for event in look()):
        if process.poll() is not None:
            pytest.fail(f"the run has ended: {process.communicate()}")
        time.sleep(0.5)


def whole_story_is_told(machine: Machine, home: str, picture: Path) -> None:
    """A machine that had nothing to do with a run lists, shows and follows it, and uses its model and its records."""
    (listed,) = json.loads(machine.graft("experiments", "--home", home, "--json"))
    assert listed["status"] == "completed"
    assert "completed" in machine.graft("status", "small", "--home", home)
    assert machine.graft("watch", "small", "--home", home).rstrip().endswith("is completed")
    Image.new("L", (32, 32), 128).save(picture)
    answered = json.loads(machine.graft("predict", "small", str(picture), "--home", home, "--json"))
    assert answered["predictions"][0]["label"] in "0123456789"
    (remembered,) = json.loads(machine.graft("memory", "ls", "--home", home, "--json"))["tasks"]
    assert (remembered["title"], remembered["trials"]) == ("small", 4)


def epochs_of(found: list[events.Event]) -> dict[str, list[int]]:
    reported: dict[str, list[int]] = {}
    for event in found:
        if isinstance(event, events.TrialReported):
            reported.setdefault(event.trial, []).append(event.epoch)
    return reported


@pytest.mark.parametrize("search", [ASHA, POPULATION, DISTRIBUTED], ids=["asha", "population", "distributed"])
def test_nodes_that_share_no_directory_find_what_one_machine_finds(
    search: dict[str, Any], cluster: Mapping[str, str], environment: dict[str, str], home: str, tmp_path: Path
) -> None:
    job = job_file(tmp_path, search)
    there = Machine("laptop", tmp_path, {**environment, **cluster}).run(job, home)
    assert (there["status"], there["trials"]["failed"]) == ("completed", 0)
    nodes = (tmp_path / f"copies-node-{number}" for number in (1, 2))
    assert all(any(copies.glob("*/cache/datasets/*/manifest.json")) for copies in nodes)
    another = Machine("another", tmp_path, environment)
    assert "completed" in another.graft("status", "small", "--home", home)
    assert json.loads(another.graft("leaderboard", "small", "--home", home, "--json"))
    here = Machine("alone", tmp_path, environment).run(job, str(tmp_path / "directory"))
    assert alike(there) == alike(here)


@pytest.mark.parametrize("home", ["s3", "google", "azurite"], indirect=True)
def test_another_machine_goes_on_when_a_driver_is_killed(
    environment: dict[str, str], home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_file(tmp_path, {**ASHA, "training": {"epochs": 6}})
    first, second = (Machine(name, tmp_path, environment) for name in ("first", "second"))
    with running(first, "run", str(job), "--home", home) as process:
        until_reported(process, lambda: story(second, home, monkeypatch))
        told = second.graft("resume", "small", "--home", home, expects=3)
        assert f"is being run by another process (pid {process.pid} on " in told
        assert len([line for line in told.splitlines() if line.startswith("graft: ")]) == 1
        process.kill()
    result = json.loads(second.graft("resume", "small", "--home", home, "--json").strip().splitlines()[-1])
    assert (result["status"], result["trials"]["total"], result["trials"]["failed"]) == ("completed", 4, 0)
    epochs = epochs_of(story(second, home, monkeypatch))
    assert all(one == [*range(1, len(one) + 1)] for one in epochs.values()), epochs
    third = Machine("third", tmp_path, environment)
    assert epochs == epochs_of(story(third, home, monkeypatch))
    whole_story_is_told(third, home, tmp_path / "digit.png")


def test_a_search_goes_on_while_the_store_is_away_for_half_a_minute(
    environment: dict[str, str], home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_file(tmp_path, {**ASHA, "training": {"epochs": 6}})
    onlooker = Machine("onlooker", tmp_path, environment)
    with Gate(environment["AWS_ENDPOINT_URL"]) as gate:
        machine = Machine("laptop", tmp_path, {**environment, "AWS_ENDPOINT_URL": gate.url})
        with running(machine, "run", str(job), "--home", home, "--json") as process:
            until_reported(process, lambda: story(onlooker, home, monkeypatch))
            gate.shut()
            time.sleep(30)
            gate.open()
            out, err = process.communicate()
    assert process.returncode == 0, err[-4000:]
    result = json.loads(out.strip().splitlines()[-1])
    assert (result["status"], result["trials"]["total"], result["trials"]["failed"]) == ("completed", 4, 0)
    (written,) = machine.copies.glob("*/experiments/*/journal.jsonl")
    story(onlooker, home, monkeypatch)
    (seen,) = onlooker.copies.glob("*/experiments/*/journal.jsonl")
    assert seen.read_bytes() == written.read_bytes()
