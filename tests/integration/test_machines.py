"""Faults of machines and cables, on a cluster with a token whose nodes have networks of their own.

Jobs are real, and sent from outside:
What a user would do is done from a laptop that is no node: submit, follow, submit again. The home is a path that all
machines see, as NFS is.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fixtures.clusters import write_photos
from tests.integration.machines.cluster import HEAD, ONE, OTHER, Machines, cluster
from tests.integration.machines.followed import JOB, Followed

from graft.journal import events

pytestmark = [pytest.mark.ray, pytest.mark.slow]

CUT_S = 30.0


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def job_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photos(tmp_path_factory.mktemp("user"), JOB, count=100, size=64)


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
    run, without_driver = two_ranks(machines, job_file, "ranks")
    machines.end_process(without_driver, "ray::RayTrainWorker")
    followed = machines.graft("jobs", "logs", "-f", "ranks")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    run.assert_nothing_is_lost_or_counted_twice(2)
    (told,) = {one.text for one in run.records(events.TrialNoted)}
    assert told == "a worker died; others go on from its newest checkpoint"


def test_ranks_whose_machine_is_lost_go_on_when_there_is_another(machines: Machines, job_file: Path) -> None:
    run, without_driver = two_ranks(machines, job_file, "lost")
    machines.kill(without_driver)
    run.wait_until(lambda: run.records(events.NodeChanged), "somebody has said that a machine is gone")
    machines.start()
    followed = machines.graft("jobs", "logs", "-f", "lost")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    run.assert_nothing_is_lost_or_counted_twice(2)
    assert f"node 10.77.0.{10 + without_driver} is gone" in " ".join(
        one.text for one in run.records(events.NodeChanged)
    )


def two_ranks(machines: Machines, job_file: Path, name: str) -> tuple[Followed, int]:
    """A search whose trials have a rank on each machine, and the machine that its driver is not on."""
    machines.start()
    ranks = ("--set", "resources.workers=2", "--set", "resources.placement=spread", "--set", "search.budget.trials=2")
    machines.json("submit", str(job_file), "--experiment", name, "--home", str(machines.home), *ranks)
    run = Followed(machines, name)
    run.wait_for_two_epochs()
    assert len(run.records(events.TrialPlaced)[-1].nodes) == 2, "a rank on each machine"
    return run, OTHER if run.hosts()[-1] == "node1" else ONE
