"""A process that trains several trials: reports in lockstep, ends, errors, deaths."""

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from graft.core.errors import GraftError, ResourceError, TrialError
from graft.workers.allocation import Allocation
from graft.workers.heads_host import HeadsHandle, HeadsHost, Seat, heads_hosts

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


def count(order: dict[str, Any], payload: str, seat: Seat) -> None:
    """Reports numbers with the payload and the process, until somebody wants no more."""
    if order.get("is_broken"):
        raise order["is_broken"]
    for number in range(order["epochs"]):
        if not seat.report((number, payload, os.getpid())):
            return


# Half a CPU: on a machine of one core, the host that dies stands beside the one that lives.
HOST = Allocation(0.5, 0.0, 1)


@pytest.fixture(scope="module")
def hosts(ray_session: None) -> Iterator[HeadsHandle]:
    """One host for all tests that leave it alive: its process takes seconds to start."""
    with heads_hosts(count, "shared", HOST, trials=4) as handle:
        yield handle


@pytest.fixture
def mortal() -> Iterator[HeadsHandle]:
    with heads_hosts(count, "shared", HOST, trials=4) as handle:
        yield handle


def test_trials_share_a_process_and_report_in_order(hosts: HeadsHandle) -> None:
    told = [list(hosts.run(trial, {"epochs": 3})) for trial in ("t01", "t02")]
    assert [[(number, payload) for number, payload, _ in one] for one in told] == [
        [(0, "shared"), (1, "shared"), (2, "shared")]
    ] * 2
    assert len({pid for one in told for *_, pid in one}) == 1


def test_they_go_on_side_by_side(hosts: HeadsHandle) -> None:
    both = threading.Barrier(2, timeout=60)
    errors: list[BaseException] = []

    def follow(trial: str) -> None:
        try:
            for _ in hosts.run(trial, {"epochs": 3}):
                both.wait()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=follow, args=(trial,)) for trial in ("t01", "t02")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_who_leaves_the_loop_ends_the_order_and_another_can_begin(hosts: HeadsHandle) -> None:
    for number, *_ in hosts.run("t01", {"epochs": 1000}):
        if number == 2:
            break
    assert [number for number, *_ in hosts.run("t01", {"epochs": 2})] == [0, 1]


@pytest.mark.parametrize(
    ("raised", "kind", "message"),
    [(ResourceError("no room"), ResourceError, "no room"), (ValueError("odd"), TrialError, "ValueError: odd")],
)
def test_errors_come_out_as_ours(hosts: HeadsHandle, raised: Exception, kind: type[GraftError], message: str) -> None:
    with pytest.raises(kind, match=message):
        list(hosts.run("t01", {"epochs": 1, "is_broken": raised}))
    assert len(list(hosts.run("t02", {"epochs": 1}))) == 1


def test_after_a_death_the_order_is_begun_again_in_another_process(hosts: HeadsHandle) -> None:
    told = []
    for report in hosts.run("t01", {"epochs": 3}):
        told.append(report)
        if len(told) == 2:
            os.kill(report[2], signal.SIGKILL)
    assert [number for number, *_ in told] == [0, 1, 0, 1, 2]
    assert len({pid for *_, pid in told}) == 2


def test_a_host_that_always_dies_is_given_up(mortal: HeadsHandle) -> None:
    def kill_always() -> None:
        for *_, pid in mortal.run("t01", {"epochs": 1000}):
            os.kill(pid, signal.SIGKILL)

    with pytest.raises(ResourceError, match="died 4 times"):
        kill_always()


def test_an_order_of_the_process_before_is_not_known() -> None:
    host = HeadsHost(count, None, 1)
    assert host.next("begun by another process", True).is_lost
