"""Only processes that inherited the mark are found, and killed."""

import subprocess
import sys

import pytest

from graft.chaos.environment.processes import MARK, can_find_processes, marked, sweep

pytestmark = pytest.mark.skipif(not can_find_processes(), reason="this system does not show environments")

PARENT = "import subprocess, sys; subprocess.run(['sleep', '600'])"


@pytest.fixture
def start():
    """Starts a process with a mark, which starts another; both are ended after the test."""
    started = []

    def begin(mark):
        process = subprocess.Popen([sys.executable, "-S", "-c", PARENT], env={MARK: mark, "PATH": "/usr/bin:/bin"})
        started.append((process, mark))
        while len(marked(mark)) < 2:
            assert process.poll() is None
        return process

    yield begin
    for process, mark in started:
        sweep(mark, 0.0)
        process.wait()


def test_a_process_and_its_children_are_found_by_their_mark(start):
    one, other = start("mark-1"), start("mark-2")
    found = marked("mark-1")
    assert found[0].pid == one.pid
    assert found[1].parent == one.pid
    assert other.pid not in {process.pid for process in found}
    assert [process.parent for process in marked("mark-1", "sleep")][-1:] == [one.pid]
    assert marked("mark-1", "no such title") == []
    assert marked("mark") == [], "a part of a mark is another mark"


def test_sweeping_kills_what_is_left_and_nothing_else(start):
    one, other = start("mark-1"), start("mark-2")
    left = sweep("mark-1", 0.0)
    assert {process.pid for process in left} >= {one.pid}
    one.wait()
    assert marked("mark-1") == []
    assert other.poll() is None


def test_a_process_that_has_ended_is_not_alive(start):
    one = start("mark-1")
    process = marked("mark-1")[0]
    assert process.is_alive
    process.kill()
    one.wait()
    assert not process.is_alive
    process.kill()  # of another process that may have its id now, nothing happens
