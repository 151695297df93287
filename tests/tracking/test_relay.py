import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from graft.core.errors import ArtifactError, TrackingError
from graft.journal.events import Event, RelayEnded
from graft.journal.journal import Journal, journal_path
from graft.journal.locking import exclusive
from graft.tracking.mlflow.audit import audit_store
from graft.tracking.relay import RelayProcess, _dismiss, _follow, main, start_relay, sync
from graft.tracking.relay_files import RelayFiles, RelayState, RelayStatus
from graft.tracking.relay_supervisor import RelaySupervisor, RestartPolicy
from graft.tracking.target import Target

Look = Callable[[], dict[str, dict[str, Any]]]
Tell = Callable[..., None]


def test_the_driver_imports_no_mlflow() -> None:
    modules = "graft.tracking.relay, graft.journal.journal, graft.tracking.server"
    code = f"import sys, {modules}; sys.exit('mlflow' in sys.modules)"
    root = str(Path(sys.modules["graft"].__file__ or "").parents[1])
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": root})


def test_a_relay_survives_a_kill_and_ends_with_the_experiment(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event], shown: Look
) -> None:
    for event in story[:6]:
        journal.append(event)
    killed = start_relay(experiment_dir, target)
    while not RelayFiles(experiment_dir).cursor.exists():
        assert not killed.drain(timeout=0.01), RelayFiles(experiment_dir).log.read_text()
    os.kill(killed.pid, signal.SIGKILL)
    assert not killed.drain(timeout=60)
    assert killed.has_died
    assert killed.status().state is RelayState.FAILED
    assert "was killed by signal 9; see " in killed.status().message
    relay = start_relay(experiment_dir, target)
    for event in story[6:]:
        journal.append(event)
    assert relay.drain(timeout=60), RelayFiles(experiment_dir).log.read_text()
    assert relay.status().state is RelayState.DONE
    assert [run["status"] for _, run in sorted(shown().items())] == [
        "FINISHED",
        "FINISHED",
        "FINISHED",
        "FAILED",
        "KILLED",
    ]


def test_stopping_a_relay_leaves_the_rest_to_sync(
    experiment_dir: Path, target: Target, told: Tell, shown: Look
) -> None:
    told()
    relay = start_relay(experiment_dir, Target("http://127.0.0.1:9", target.experiment))
    relay.stop()
    assert not relay.drain(timeout=0)
    assert sync(experiment_dir, target).state is RelayState.DONE
    assert len(shown()) == 5


def test_sync_says_that_the_store_is_down(experiment_dir: Path, told: Tell) -> None:
    told()
    with pytest.raises(
        TrackingError, match=r"does not answer; start it, .*; `graft track sync digits-1` brings what is missing"
    ):
        sync(experiment_dir, Target("http://127.0.0.1:9", "digits"))


def test_sync_can_ship_everything_again(experiment_dir: Path, target: Target, told: Tell, shown: Look) -> None:
    told()
    sync(experiment_dir, target)
    once = shown()
    sync(experiment_dir, target, restart=True)
    assert shown() == once


@contextlib.contextmanager
def holding(files: RelayFiles, first: str = "") -> Iterator["subprocess.Popen[bytes]"]:
    """A process that holds the lock of a relay, and does nothing else; `first` is what it runs before."""
    program = (
        "import pathlib, signal, sys; from graft.journal.locking import exclusive\n"
        f"{first}\n"
        "with exclusive(pathlib.Path(sys.argv[1])): print('held', flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", program, str(files.lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


def test_sync_replaces_a_relay_that_waits_after_the_run(
    experiment_dir: Path, target: Target, told: Tell, shown: Look
) -> None:
    told()
    files = RelayFiles(experiment_dir)
    files.directory.mkdir(parents=True)
    files.write_status(RelayStatus(RelayState.WAITING, "refused the login"))
    with holding(files) as relay:
        assert sync(experiment_dir, target).state is RelayState.DONE
        assert relay.wait() == -signal.SIGTERM
    assert len(shown()) == 5


def test_sync_replaces_a_relay_that_was_stopped(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event]
) -> None:
    with started_and_stopped(experiment_dir, target, journal, story):
        journal.close()
        assert sync(experiment_dir, target).state is RelayState.DONE
        assert lost_and_doubled(experiment_dir, target) == (0, 0)


def test_sync_ends_a_relay_that_hangs_and_hears_nothing(
    experiment_dir: Path, target: Target, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graft.tracking.relay.PATIENCE_S", 0.3)
    told()
    (files := RelayFiles(experiment_dir)).directory.mkdir(parents=True)
    files.write_status(RelayStatus(RelayState.FOLLOWING))
    with holding(files, "signal.signal(signal.SIGTERM, signal.SIG_IGN)") as relay:
        files.show_turn()
        with pytest.raises(TrackingError, match="is shipping digits-1 already"):
            sync(experiment_dir, target)
        os.utime(files.turn, (1.0, 1.0))
        assert sync(experiment_dir, target).state is RelayState.DONE
        assert relay.wait() == -signal.SIGKILL
    assert not files.is_hung(time.time()), "who ships shows it"


def test_one_that_stands_still_but_works_is_not_killed(experiment_dir: Path) -> None:
    """It sends a large file: it is asked to end, and ends when that is done."""
    (files := RelayFiles(experiment_dir)).directory.mkdir()
    busy = (
        "import pathlib, signal, sys, time; from graft.journal.locking import exclusive\n"
        "asked = []; signal.signal(signal.SIGTERM, lambda *_: asked.append(time.monotonic()))\n"
        "with exclusive(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    while not asked or time.monotonic() < asked[0] + 1: pass"
    )
    with subprocess.Popen([sys.executable, "-c", busy, str(files.lock)], stdout=subprocess.PIPE) as relay:
        assert relay.stdout is not None
        assert relay.stdout.readline() == b"held\n"
        files.show_turn()
        os.utime(files.turn, (1.0, 1.0))
        assert _dismiss(files)
        assert relay.wait() == 0


def test_sync_beside_a_relay_is_refused(experiment_dir: Path, target: Target, told: Tell) -> None:
    told()
    with exclusive(RelayFiles(experiment_dir).lock), pytest.raises(TrackingError, match="is shipping digits-1 already"):
        sync(experiment_dir, target)


def test_sync_without_a_journal_is_a_clear_error(tmp_path: Path, target: Target) -> None:
    with pytest.raises(ArtifactError, match="is not there, so nothing was recorded"):
        sync(tmp_path / "nothing", target)


def test_a_bad_uri_is_refused_before_a_process_starts(experiment_dir: Path) -> None:
    with pytest.raises(TrackingError, match="must be absolute"):
        start_relay(experiment_dir, Target("sqlite:///x.db", "digits"))


def test_a_password_is_not_on_the_command_line(experiment_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], dict[str, str]]] = []

    def popen(command: list[str], env: dict[str, str], **rest: Any) -> None:
        calls.append((command, env))

    monkeypatch.setattr("graft.tracking.relay.subprocess.Popen", popen)
    start_relay(experiment_dir, Target("http://me:canary@host", "digits", experiment_dir))
    (command, environment), *_ = calls
    assert "canary" not in " ".join(command)
    assert environment["MLFLOW_TRACKING_URI"] == "http://me:canary@host"
    assert environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert str(experiment_dir) in command


@pytest.fixture
def quiet_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` sets a handler and a priority for its process, which here is that of the tests."""
    monkeypatch.setattr("graft.tracking.relay.signal.signal", lambda *_: None)
    monkeypatch.setattr("graft.tracking.relay.GivingWay", lambda: lambda lag: None)


@pytest.mark.usefixtures("quiet_signals")
def test_exit_codes(experiment_dir: Path, target: Target, told: Tell) -> None:
    told()
    common = [str(experiment_dir), "--experiment", target.experiment, "--linger", "0"]
    assert main([*common, "--uri", "http://127.0.0.1:9"]) == 75
    assert main([*common, "--uri", "sqlite:///x.db"]) == 1
    assert RelayFiles(experiment_dir).read_status().state is RelayState.FAILED
    assert main([*common, "--uri", target.uri, "--artifact-root", str(target.artifact_root)]) == 0


@pytest.mark.usefixtures("quiet_signals")
def test_the_newest_relay_replaces_one_that_waits(experiment_dir: Path, target: Target, told: Tell) -> None:
    told()
    code = (
        "import sys; from pathlib import Path; from graft.journal.locking import exclusive\n"
        "with exclusive(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    root = str(Path(sys.modules["graft"].__file__ or "").parents[1])
    old = subprocess.Popen(
        [sys.executable, "-c", code, str(RelayFiles(experiment_dir).lock)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": root},
    )  # fmt: skip
    assert old.stdout is not None
    assert old.stdout.readline() == b"held\n"
    arguments = [str(experiment_dir), "--experiment", target.experiment, "--uri", target.uri]
    assert main([*arguments, "--artifact-root", str(target.artifact_root)]) == 0
    old.communicate()
    assert old.returncode == -signal.SIGTERM


def test_a_relay_that_is_asked_to_end_gives_way_no_longer(
    experiment_dir: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags, handlers = list[float](), list[Callable[[], None]]()
    monkeypatch.setattr("graft.tracking.relay.GivingWay", lambda: lags.append)
    monkeypatch.setattr("graft.tracking.relay.signal.signal", lambda _, handler: handlers.append(handler))

    def follow(files: RelayFiles, target: Target, linger: float, stopping: Any, give_way: Any) -> RelayStatus:
        give_way(3.0)
        handlers[0]()
        give_way(3.0)
        return RelayStatus(RelayState.UNSYNCED)

    monkeypatch.setattr("graft.tracking.relay._follow", follow)
    assert main([str(experiment_dir), "--experiment", "x", "--uri", target.uri]) == 75
    assert lags == [3.0, math.inf, math.inf]


def test_a_relay_gives_way_while_mlflow_is_loaded_but_not_for_ever(
    experiment_dir: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    lags, is_too_long = list[float](), threading.Event()

    def give_way(lag: float) -> None:
        lags.append(lag)
        if math.isinf(lag):
            is_too_long.set()

    class NeverLoaded(ModuleType):
        def __getattr__(self, name: str) -> Any:
            assert is_too_long.wait(60)
            raise AttributeError(name)

    monkeypatch.setattr("graft.tracking.relay._LOADING_S", 0.01)
    monkeypatch.setitem(sys.modules, "graft.tracking.mlflow.shipping", NeverLoaded("shipping"))
    with pytest.raises(ImportError):
        _follow(RelayFiles(experiment_dir), target, 0.0, threading.Event(), give_way)
    assert lags == [0.0, math.inf]


@pytest.mark.parametrize("state", RelayState)
def test_the_status_survives_the_round_trip(experiment_dir: Path, state: RelayState) -> None:
    status = RelayStatus(state, "a message", 12, 1)
    RelayFiles(experiment_dir).write_status(status)
    assert RelayFiles(experiment_dir).read_status() == status


def test_a_status_that_is_missing_or_damaged_is_starting(experiment_dir: Path) -> None:
    assert RelayFiles(experiment_dir).read_status() == RelayStatus(RelayState.STARTING)
    RelayFiles(experiment_dir).directory.mkdir()
    RelayFiles(experiment_dir).status.write_text("{}")
    assert RelayFiles(experiment_dir).read_status() == RelayStatus(RelayState.STARTING)


def test_a_relay_that_does_not_stop_is_killed(experiment_dir: Path) -> None:
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", deaf], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    RelayProcess(process, RelayFiles(experiment_dir)).stop(timeout=0.05)
    assert process.returncode == -9
    process.communicate()


def test_a_relay_whose_loop_is_blocked_though_nobody_stopped_it_is_ended_and_told(experiment_dir: Path) -> None:
    (files := RelayFiles(experiment_dir)).directory.mkdir()
    blocked = "import threading; lock = threading.Lock(); lock.acquire(); print('x', flush=True); lock.acquire()"
    process = subprocess.Popen([sys.executable, "-c", blocked], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    told: list[RelayEnded] = []
    supervisor = RelaySupervisor(lambda: RelayProcess(process, files), told.append, RestartPolicy(hung=100))
    while not told:
        supervisor.look()
    assert told == [RelayEnded(f"the relay (process {process.pid}) has done nothing for 100 s, and was ended", 0, True)]
    assert process.returncode in (-signal.SIGTERM, -signal.SIGKILL)
    process.communicate()


@contextlib.contextmanager
def started_and_stopped(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event]
) -> Iterator[RelayProcess]:
    """A relay that was stopped (SIGSTOP) when it had shipped a part of a journal that is whole by then.

    It is ended in every case: one that an assertion leaves stopped would stay on the machine for ever.
    """
    for event in story[:6]:
        journal.append(event)
    relay = start_relay(experiment_dir, target)
    try:
        while not RelayFiles(experiment_dir).cursor.exists():
            assert not relay.drain(timeout=0.01), RelayFiles(experiment_dir).log.read_text()
        os.kill(relay.pid, signal.SIGSTOP)
        for event in story[6:]:
            journal.append(event)
        yield relay
    finally:
        relay.stop(timeout=0.0)


def test_a_stopped_relay_is_ended_when_an_assertion_fails(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event]
) -> None:
    relays = []

    def fail() -> None:
        with started_and_stopped(experiment_dir, target, journal, story) as relay:
            relays.append(relay)
            raise AssertionError("as in a test")

    with pytest.raises(AssertionError, match="as in a test"):
        fail()
    assert relays[0].has_ended


def lost_and_doubled(experiment_dir: Path, target: Target) -> tuple[int | None, int | None]:
    _, audit = audit_store(target, journal_path(experiment_dir))
    return audit.lost, audit.doubled


def test_a_real_relay_that_was_stopped_is_ended_and_started_again_and_nothing_is_lost_or_doubled(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event], shown: Look
) -> None:
    with started_and_stopped(experiment_dir, target, journal, story) as stopped:
        relays = [stopped]
        told: list[RelayEnded] = []

        def start() -> RelayProcess:
            if told:
                relays.append(start_relay(experiment_dir, target))
            return relays[-1]

        supervisor = RelaySupervisor(
            start, told.append, RestartPolicy(look=0.05, first_pause=0.0, patience=4, hung=10**6)
        )
        assert supervisor.drain(600, lambda _: None), RelayFiles(experiment_dir).log.read_text()
        assert [(event.restarts, event.is_restarted) for event in told] == [(0, True)]
        assert f"(process {relays[0].pid}) was stopped" in told[0].reason
        assert (relays[0].has_ended, relays[1].status().state) == (True, RelayState.DONE)
        assert lost_and_doubled(experiment_dir, target) == (0, 0)
        assert len(shown()) == 5


def test_a_real_relay_that_hangs_is_ended_and_started_again_until_it_gets_on(
    experiment_dir: Path, target: Target, journal: Journal, story: list[Event]
) -> None:
    """Another process holds a lock that it waits for; SIGTERM does not wake it from that."""
    for event in story:
        journal.append(event)
    files, relays, told = RelayFiles(experiment_dir), list[RelayProcess](), list[RelayEnded]()

    def start() -> RelayProcess:
        relays.append(start_relay(experiment_dir, target))
        return relays[-1]

    supervisor = RelaySupervisor(start, told.append, RestartPolicy(most=100, look=0.1, first_pause=0.0, hung=40))
    with exclusive(files.runs_lock):
        while not told:
            relays[-1].drain(timeout=0.1)
            supervisor.look()
    assert supervisor.drain(600, lambda _: None), files.log.read_text()
    assert "has done nothing for 4 s, and was ended" in told[0].reason
    assert lost_and_doubled(experiment_dir, target) == (0, 0)


def test_a_relay_that_works_makes_progress(experiment_dir: Path) -> None:
    (files := RelayFiles(experiment_dir)).directory.mkdir()
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        relay = RelayProcess(process, files)
        before = relay.progress
        while relay.progress == before:  # it uses the CPU
            pass
        process.kill()
    before = relay.progress
    files.show_turn()
    assert relay.progress != before, "its loop turns"


def test_it_gives_way_to_the_trials() -> None:
    code = "from graft.tracking.giving_way import GivingWay; GivingWay()(0.0); import os; print(os.nice(0))"
    file = "/proc/self/autogroup"
    code += f"; print(open('{file}').read() if os.path.exists('{file}') else 'nice 19')"
    # A session of its own, as the relay has: the priority of a session is for all of its processes.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, start_new_session=True)
    niceness, session = done.stdout.strip().split("\n")
    assert int(niceness) >= 15
    assert session.endswith("nice 19")
