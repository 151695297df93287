import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from graft.core.errors import ResourceError, TrialError
from graft.workers.groups.channel import Channel
from graft.workers.groups.group import WorkerGroups
from graft.workers.groups.lease import GroupsHandle
from graft.workers.groups.shape import GroupShape

pytestmark = pytest.mark.ray

SHAPE = GroupShape(2, 0.5)
SCRIPTS = Path(__file__).parent


@pytest.fixture(scope="module")
def handle(ray_session: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GroupsHandle]:
    """One group of two workers for all tests here: it takes 8 s and more to start."""

    # For the workers it is made in here: a test module cannot be imported there.
    def work(order: dict[str, Any], payload: dict[str, Any], channel: Any) -> None:
        import os

        import torch
        import torch.distributed as dist

        for step in range(order["steps"]):
            if channel.is_abandoned():
                return
            if order.get("raise_on") == channel.rank:
                raise ValueError("no such thing\nsecond line")
            if order.get("exit_on") == channel.rank and step == 1:
                os._exit(1)
            total = torch.tensor([channel.rank + 1.0])
            dist.all_reduce(total)
            facts = {"step": step, "sum": total.item(), "pid": os.getpid(), "attempt": channel.attempt}
            if step % order.get("report_every", 1) == 0 and not channel.report({**facts, **payload}):
                return

    with WorkerGroups(SHAPE, 1, work, {"payload": 7}, tmp_path_factory.mktemp("groups"), max_failures=1) as groups:
        yield groups.handle


def pid_of(lease: Any) -> int:
    return next(iter(lease.run({"steps": 1})))["pid"]


def test_ranks_work_together_and_report(handle):
    with handle.lease("trial") as lease:
        reports = list(lease.run({"steps": 3}))
        assert len(lease.nodes) == 1
    assert [report["step"] for report in reports] == [0, 1, 2]
    assert {(report["sum"], report["payload"], report["attempt"]) for report in reports} == {(3.0, 7, 0)}
    assert reports[0]["pid"] != os.getpid()


def test_the_same_processes_serve_the_next_trial(handle):
    with handle.lease("one") as lease:
        first = pid_of(lease)
    with handle.lease("two") as lease:
        assert pid_of(lease) == first


def test_workers_leave_an_abandoned_order_between_reports_and_can_go_on(handle):
    with handle.lease("trial") as lease:
        first = pid_of(lease)
        run = lease.run({"steps": 10**9, "report_every": 10**9})
        next(run)
        run.close()
        reports = list(lease.run({"steps": 2}))
    assert [(report["sum"], report["pid"]) for report in reports] == [(3.0, first)] * 2


def test_an_exit_of_the_one_who_consumes_frees_the_group(handle):
    def consume() -> None:
        with handle.lease("one") as lease:
            for _ in lease.run({"steps": 10**9}):
                raise SystemExit

    with pytest.raises(SystemExit):
        consume()
    with handle.lease("two") as lease:
        assert len(list(lease.run({"steps": 2}))) == 2


def test_an_error_of_one_rank_frees_the_others_and_the_processes_are_kept(handle):
    with handle.lease("trial") as lease:
        first = pid_of(lease)
        with pytest.raises(TrialError, match=r"^ValueError: no such thing$"):
            list(lease.run({"steps": 5, "raise_on": 1}))
        assert [(report["sum"], report["pid"]) for report in lease.run({"steps": 2})] == [(3.0, first)] * 2


def test_what_is_not_understood_is_an_error_of_the_order(handle):
    with handle.lease("trial") as lease:
        with pytest.raises(TrialError, match=r"^KeyError: 'steps'$"):
            list(lease.run({}))
        assert len(list(lease.run({"steps": 1}))) == 1


def test_a_trial_in_an_actor_leases_and_its_death_frees_the_group(handle):
    @ray.remote(num_cpus=0)
    class Trial:
        def first_report(self, handle: GroupsHandle) -> int:
            self.leasing = handle.lease("actor")
            self.run = self.leasing.__enter__().run({"steps": 10**9})
            return next(self.run)["step"]

    trial = Trial.remote()
    assert ray.get(trial.first_report.remote(handle)) == 0
    ray.kill(trial)
    with handle.lease("next") as lease:
        assert len(list(lease.run({"steps": 2}))) == 2


def test_workers_that_die_are_replaced_and_begin_again_but_not_for_ever(handle):
    with handle.lease("trial") as lease:
        run = lease.run({"steps": 2, "exit_on": 1})
        assert [next(run)["attempt"], next(run)["attempt"]] == [0, 1]
        with pytest.raises(TrialError, match=r"^its workers died 2 times$"):
            next(run)
        assert [report["sum"] for report in lease.run({"steps": 2})] == [3.0, 3.0]


def test_a_payload_that_no_worker_can_load_is_said_once(ray_session, tmp_path):
    class Poison:
        def __reduce__(self) -> tuple[Any, ...]:
            return (int, ("seven",))

    with (
        WorkerGroups(GroupShape(1, 0.5), 1, lambda order, payload, channel: None, Poison(), tmp_path) as groups,
        pytest.raises(ResourceError, match=r"payload cannot be loaded \(.*seven"),
        groups.handle.lease("trial"),
    ):
        pass


def test_what_can_never_be_met_is_refused_on_entering(ray_session, tmp_path):
    with (
        pytest.raises(ResourceError, match="the largest node has 0 GPU"),
        WorkerGroups(GroupShape(2, 0.5, 1.0), 1, lambda order, payload, channel: None, None, tmp_path),
    ):
        pass


def in_own_ray(script: str, *arguments: str) -> dict[str, Any]:
    """Run a script that starts a Ray of its own; its last line is its result."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    environment.pop("RAY_ADDRESS", None)
    done = subprocess.run(
        [sys.executable, SCRIPTS / script, *arguments], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def disturbed() -> dict[str, Any]:
    return in_own_ray("disturbed_groups.py")


@pytest.mark.slow
def test_killing_the_controller_ends_no_order_without_a_dashboard_and_beside_another_ray(disturbed):
    assert disturbed["controller_killed"] == {"attempts": [0, 1], "last_step": 2}


@pytest.mark.slow
def test_workers_that_hang_are_replaced(disturbed):
    assert disturbed["hung"] == {"next_order": 2, "same_process": False}


@pytest.mark.slow
def test_workers_that_never_come_are_given_up_in_words(disturbed):
    assert re.fullmatch(
        r"no worker group of 2 workers with 1 CPU each will run: .*(timed out|not come up within 5 s).*"
        r"; 2 CPU \(1 free\) needed",
        disturbed["never_came"],
    )


@pytest.mark.slow
def test_after_all_that_nothing_is_left(disturbed):
    assert (disturbed["cpus_after"], disturbed["left"]) == (2.0, [])


def test_when_the_driver_dies_everything_is_free_again():
    found = in_own_ray("dying_driver.py")
    assert found == {"cpus_while_up": 1.0, "cpus_after": 2.0, "left": []}


@pytest.mark.slow
def test_a_group_that_is_not_needed_gives_back_what_it_holds_and_comes_back(ray_session: None, tmp_path: Path) -> None:
    with WorkerGroups(GroupShape(1, 0.25), 2, report_the_order, None, tmp_path) as groups:
        handle = groups.handle
        with handle.lease("a") as one, handle.lease("b") as other:
            assert [*one.run(1), *other.run(2)] == [1, 2]
            held = ray.available_resources().get("CPU", 0.0)
        handle.keep(1)
        while ray.available_resources().get("CPU", 0.0) < held + 0.25:
            time.sleep(0.2)
        handle.keep(2)
        with handle.lease("c") as one, handle.lease("d") as other:
            assert [*one.run(3), *other.run(4)] == [3, 4]


def report_the_order(order: int, payload: None, channel: Channel) -> None:
    channel.report(order)
