"""Faults of machines and cables, on a cluster with a token whose nodes have networks of their own.

Jobs are real, and sent from outside:
What a user would do is done from a laptop that is no node: submit, follow, submit again. The home is a path that all
machines see, as NFS is.
"""

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures.clusters import wait_until, write_photos
from tests.integration.machines.cluster import HEAD, ONE, OTHER, Machines, reason_against

from graft.journal import events
from graft.journal.journal import read

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CUT_S = 30.0
JOB = """
name: mine
data: {kind: image_folder, path: photos}
strategy: {freeze: 0.0, resolution: 64, lr: {loguniform: [1.0e-3, 1.0e-1]}}
training: {epochs: 10, final_on: train}
search: {scheduler: none, budget: {trials: 4}}
export: {register: false}
"""


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with cluster() as running:
        yield running


@contextmanager
def cluster(redis: str | None = None) -> Iterator[Machines]:
    if why := reason_against():
        pytest.skip(why)
    # Ray puts sockets below its directory, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="gm") as name, Machines(Path(name), redis) as running:
        yield running


@pytest.fixture(scope="module")
def job_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("user"), JOB, count=100, size=64)


class Followed:
    """An experiment as the machines' home has it."""

    def __init__(self, machines: Machines, name: str) -> None:
        self.directory = machines.home / "experiments" / name

    def records(self, *kinds: type[events.Event]) -> list[Any]:
        file = self.directory / "journal.jsonl"
        found = [event for _, event in read(file)] if file.exists() else []
        return [event for event in found if isinstance(event, kinds)]

    def hosts(self) -> list[str]:
        """Where its drivers have run, as the journal's writers say."""
        lines = (self.directory / "journal.jsonl").read_text().splitlines()
        return [one["host"] for one in map(json.loads, lines) if one["kind"] == "WriterOpened"]

    def wait_until(self, happened: Callable[[], object], what: str) -> None:
        """Return when it has happened; fails if the run ends before."""
        wait_until(happened, what, why_not=self._ending)

    def wait_for_two_epochs(self) -> None:
        self.wait_until(lambda: len(self.records(events.TrialReported)) >= 2, "two epochs were reported")

    def _ending(self) -> str:
        ended = self.records(events.ExperimentFinished)
        return f"the run has ended ({ended[-1].status}, {ended[-1].detail})" if ended else ""

    def assert_nothing_is_lost_or_counted_twice(self, trials: int) -> None:
        result = json.loads((self.directory / "result.json").read_text())
        assert (result["status"], result["retrained"]) == ("completed", 0)
        assert (result["trials"]["total"], result["trials"]["completed"]) == (trials, trials)
        epochs = Counter((one.trial, one.epoch) for one in self.records(events.TrialReported))
        assert set(epochs.values()) == {1}
        assert len(epochs) == trials * 10
        for_good = (one.trial for one in self.records(events.TrialFinished) if one.status == "completed")
        assert set(Counter(for_good).values()) == {1}
        board = json.loads((self.directory / "leaderboard.json").read_text())
        assert len({row["trial"] for row in board}) == len(board) == trials


def test_a_cut_cable_is_told_and_the_driver_survives_its_node(machines: Machines, job_file: Path) -> None:
    name = "cut"
    machines.json("submit", str(job_file), "--experiment", name, "--home", str(machines.home))
    looking = machines.following("jobs", "logs", "-f", name)
    run = Followed(machines, name)
    run.wait_for_two_epochs()
    driver = {"node1": ONE, "node2": OTHER}[run.hosts()[-1]]
    worker = OTHER if driver == ONE else ONE
    run.wait_until(lambda: len({one.nodes for one in run.records(events.TrialPlaced)}) == 2, "both nodes train")
    machines.cut(worker)
    cut = time.monotonic()
    run.wait_until(lambda: run.records(events.NodeChanged), "somebody has said that a node does not answer")
    time.sleep(max(0.0, CUT_S - (time.monotonic() - cut)))
    machines.heal(worker)
    silent = run.records(events.NodeChanged)[0]
    assert (silent.state, len(silent.trials)) == ("silent", 1)
    assert silent.text.startswith(f"node 10.77.0.{10 + worker} has not answered for 2")
    run.wait_until(
        lambda: run.records(events.NodeChanged)[-1].state in ("back", "gone"), "it was told what became of it"
    )
    assert f"10.77.0.{10 + worker}" in machines.nodes(), "the node has come back"
    machines.kill(driver)
    out, _ = looking.communicate()
    assert looking.returncode == 0, out
    assert f"its node is gone; {name} goes on as graft-{name}-r1" in out
    assert len(set(run.hosts())) == 2
    run.assert_nothing_is_lost_or_counted_twice(4)
    statuses = [one["status"] for one in machines.json("jobs", "ls") if one["experiment"] == name]
    assert statuses == ["SUCCEEDED", "FAILED"]


def test_what_a_head_had_begun_goes_on_when_there_is_one_again(machines: Machines, job_file: Path) -> None:
    name = "head"
    machines.start()
    command = ("submit", str(job_file), "--experiment", name, "--home", str(machines.home))
    machines.json(*command)
    run = Followed(machines, name)
    run.wait_for_two_epochs()
    machines.kill(HEAD)
    run.wait_until(lambda: run.records(events.ExperimentFinished), "the driver has said that the head is gone")
    (ended,) = run.records(events.ExperimentFinished)
    assert ended.status == "interrupted"
    assert f"when there is a head again, `graft resume {name}` goes on" in ended.detail
    for machine in (ONE, OTHER):
        machines.kill(machine)
    machines.start()
    assert machines.json("jobs", "ls") == [], "without Redis, a new head knows nothing of the old one's jobs"
    done = machines.graft(*command, "--wait")
    assert done.returncode == 0, done.stdout + done.stderr
    run.assert_nothing_is_lost_or_counted_twice(4)


def test_a_rank_that_dies_on_another_machine_is_replaced(machines: Machines, job_file: Path) -> None:
    name = "ranks"
    machines.start()
    ranks = ("--set", "resources.workers=2", "--set", "resources.placement=spread", "--set", "search.budget.trials=2")
    machines.json("submit", str(job_file), "--experiment", name, "--home", str(machines.home), *ranks)
    run = Followed(machines, name)
    run.wait_for_two_epochs()
    assert len(run.records(events.TrialPlaced)[-1].nodes) == 2, "a rank on each machine"
    machines.end_process(OTHER if run.hosts()[-1] == "node1" else ONE, "ray::RayTrainWorker")
    followed = machines.graft("jobs", "logs", "-f", name)
    assert followed.returncode == 0, followed.stdout + followed.stderr
    run.assert_nothing_is_lost_or_counted_twice(2)
    (told,) = {one.text for one in run.records(events.TrialNoted)}
    assert told == "a worker died; others go on from its newest checkpoint"


def test_a_head_that_keeps_what_it_knows_elsewhere_knows_its_jobs_again(job_file: Path) -> None:
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("there is no redis-server")
    name = "kept"
    with cluster(redis) as machines:
        machines.json("submit", str(job_file), "--experiment", name, "--home", str(machines.home))
        run = Followed(machines, name)
        run.wait_for_two_epochs()
        machines.kill(HEAD)
        machines.start()
        (job,) = machines.json("jobs", "ls")
        assert job["experiment"] == name
        wait_until(lambda: machines.json("jobs", "status", name)["is_over"], "its driver has ended")
        if not (run.directory / "result.json").exists():
            assert f"`graft resume {name}` goes on" in run.records(events.ExperimentFinished)[-1].detail
            machines.json("jobs", "resume", name)
        followed = machines.graft("jobs", "logs", "-f", name)
        assert followed.returncode == 0, followed.stdout + followed.stderr
        run.assert_nothing_is_lost_or_counted_twice(4)
