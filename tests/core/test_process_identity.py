import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from graft.core.process_identity import Machine, ProcessIdentity, user_name

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(SLEEPER)
    yield process
    process.kill()
    process.wait()


def test_a_process_that_was_stopped_lives_and_does_nothing(child: subprocess.Popen[bytes]) -> None:
    process = ProcessIdentity.of(child.pid)
    assert not process.is_stopped
    process.send(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert (process.is_alive, process.is_stopped) == (True, True)
    process.send(signal.SIGKILL)
    child.wait()
    assert not process.is_stopped


def test_a_process_is_signalled_as_long_as_it_is_itself(child: subprocess.Popen[bytes]) -> None:
    recorded = ProcessIdentity.from_text(ProcessIdentity.of(child.pid).to_text())
    assert recorded is not None
    assert recorded.is_alive
    assert recorded.send(signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM
    assert not recorded.is_alive
    assert not recorded.send(signal.SIGTERM)


@pytest.mark.parametrize(
    "other",
    [
        {"started": "1"},
        {"started": ""},
        {"machine": Machine("elsewhere", Machine.here().boot)},
        {"machine": Machine(Machine.here().host, "another-boot")},
        {"machine": Machine(Machine.here().host, "")},
    ],
)
def test_another_process_of_the_same_number_is_left_alone(child: subprocess.Popen[bytes], other: dict) -> None:
    recorded = dataclasses.replace(ProcessIdentity.of(child.pid), **other)
    assert not recorded.is_alive
    assert not recorded.send(signal.SIGKILL)
    assert child.poll() is None


@pytest.mark.parametrize("pid", [0, 1, -1, -12345])
def test_groups_and_the_first_process_are_never_meant(pid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []
    monkeypatch.setattr("graft.core.process_identity.os.kill", lambda *to: sent.append(to[0]))
    assert not ProcessIdentity(Machine.here(), pid, "1").send(signal.SIGTERM)
    assert not ProcessIdentity.of(pid).send(signal.SIGTERM)
    assert sent == []


@pytest.mark.parametrize("text", ["", "4711", "null", "[]", '{"pid": 4711}', '{"pid": 4711, "started": "1"}', "\x00"])
def test_a_number_alone_names_no_process(text: str) -> None:
    assert ProcessIdentity.from_text(text) is None


def test_a_process_that_has_ended_and_was_not_waited_for_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    identity = ProcessIdentity.of(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not identity.is_alive
    process.wait()


def test_a_kernel_without_process_handles(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("graft.core.process_identity.os.pidfd_open")
    assert ProcessIdentity.of(child.pid).send(signal.SIGTERM)
    assert child.wait() == -signal.SIGTERM


def test_a_user_without_a_name_is_called_by_the_number(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_123_456)
    assert user_name() == "uid4000123456"
    monkeypatch.setenv("LOGNAME", "anna")
    assert user_name() == "anna"
