"""A process that hangs is ended, and told; real processes, a clock of the test's own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from graft.core.heartbeat import FolderBoard, Heartbeat, read_heartbeats
from graft.workers import hang_watch
from graft.workers.end_process import end_process
from graft.workers.hang_detector import HangDetector, HangLimits
from graft.workers.hang_watch import HangWatch, watch_for_hangs

LIMITS = HangLimits(silence=20.0, look=5.0)
BEATS = """
import sys
from pathlib import Path
from graft.core import heartbeat
heartbeat.PERIOD_S = 0.01
board = heartbeat.FolderBoard(Path(sys.argv[1]))
with heartbeat.Pulse(board, "t01"), heartbeat.Pulse(board, "t01"):
    print("alive", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", BEATS, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        yield process
        process.kill()


def looks(watch: HangWatch, count: int) -> None:
    for number in range(count):
        watch.look(number * LIMITS.look)


def test_a_stopped_process_is_ended_and_told(trial: subprocess.Popen[str], tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    watch = HangWatch(tmp_path, lambda *line: told.append(line), end_process, HangDetector(LIMITS))
    trial.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, trial.pid, os.WSTOPPED | os.WNOWAIT)
    looks(watch, 6)
    assert trial.wait() == -signal.SIGKILL
    ((name, text),) = told
    assert name == "t01"
    assert text.startswith(f"its process {trial.pid} on ")
    assert text.endswith("no sign of life for 20 s; it was ended, and its work goes on in another")
    assert list(read_heartbeats(tmp_path)) == []


def test_what_a_dead_process_has_left_is_forgotten_without_a_word(trial: subprocess.Popen[str], tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    watch = HangWatch(tmp_path, lambda *line: told.append(line), end_process, HangDetector(LIMITS))
    trial.kill()
    trial.wait()
    looks(watch, 6)
    assert told == []
    assert list(read_heartbeats(tmp_path)) == []


def test_where_nobody_can_write_silence_says_nothing(
    trial: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Heartbeat] = []

    def end(heartbeat: Heartbeat) -> bool:
        ended.append(heartbeat)
        return True

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hang_watch.tempfile, "TemporaryFile", full)
    watch = HangWatch(tmp_path, lambda *_: None, end, HangDetector(LIMITS))
    trial.send_signal(signal.SIGSTOP)
    looks(watch, 20)
    assert ended == []


def test_the_directory_is_there_while_somebody_looks(tmp_path: Path) -> None:
    (tmp_path / "heartbeats").mkdir()
    (tmp_path / "heartbeats" / "of-a-run-before.json").write_text("{}")
    with watch_for_hangs(tmp_path / "heartbeats", lambda *_: None, lambda _: False) as board:
        assert board == FolderBoard(tmp_path / "heartbeats")
        assert list((tmp_path / "heartbeats").iterdir()) == []
    assert not (tmp_path / "heartbeats").exists()
