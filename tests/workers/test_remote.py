import os
import time

import pytest

from graft.core.errors import DataError, ResourceError, TrialError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("ray_session")]


@pytest.fixture
def run_remote():
    from graft.workers.remote import run_remote

    return run_remote


# Functions for the worker are made inside the tests: a test module cannot be imported there.


def test_it_runs_elsewhere_and_gives_the_result_back(run_remote):
    def add(first, second):
        return first + second, os.getpid()

    total, pid = run_remote(add, 2, 3)
    assert total == 5
    assert pid != os.getpid()


def test_torch_gets_as_many_threads_as_cpus(run_remote):
    def threads():
        import torch

        return torch.get_num_threads()

    assert run_remote(threads, num_cpus=2) == 2
    assert run_remote(threads, num_cpus=0.5) == 1


def test_our_errors_come_out_as_they_are(run_remote):
    def fail():
        raise DataError("class `cat` is empty")

    with pytest.raises(DataError, match=r"^class `cat` is empty$"):
        run_remote(fail)


def test_other_errors_become_a_trial_error_with_the_cause(run_remote):
    def fail():
        raise ZeroDivisionError("by zero")

    with pytest.raises(TrialError, match=r"^ZeroDivisionError: by zero$") as caught:
        run_remote(fail)
    assert "fail" in str(caught.value.__cause__)


def test_running_out_of_memory_is_a_resource_error(run_remote):
    def fail():
        raise MemoryError

    with pytest.raises(ResourceError, match="ran out of memory; run fewer trials"):
        run_remote(fail)


def test_a_dead_worker_is_a_trial_error_and_not_run_again(run_remote, tmp_path):
    def die():
        with open(tmp_path / "runs", "a") as runs:
            runs.write("x")
        os._exit(7)

    with pytest.raises(TrialError, match="worker process died"):
        run_remote(die)
    assert (tmp_path / "runs").read_text() == "x"


def test_a_result_that_is_lost_with_its_node_is_not_waited_for(run_remote, tmp_path, monkeypatch):
    monkeypatch.setattr("graft.workers.remote.LOOK_S", 0.1)

    def work(place):
        begun = len(list(place.iterdir()))
        (place / str(begun)).touch()
        if not begun:
            time.sleep(1000)
        return begun

    told = []

    def was_away():
        is_new = (tmp_path / "0").exists() and not told
        if is_new:
            told.append("it is back")
        return is_new

    assert run_remote(work, tmp_path, was_away=was_away) == 1


@pytest.mark.parametrize("wanted", [{"num_cpus": 1000}, {"num_gpus": 64}])
def test_what_no_node_has_is_refused_at_once(run_remote, wanted):
    with pytest.raises(ResourceError, match="must fit on one node and none has them"):
        run_remote(os.getpid, **wanted)
