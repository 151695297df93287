import html
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graft.cli.records import ui as module
from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.spec.load import parse_job
from graft.tracking.comparison_view import view_key
from graft.tracking.ui import TOKEN_VARIABLE, UiServer


class FakeServer:
    """Stands for the MLflow server process."""

    started: list["FakeServer"] = []
    is_dead = False

    def __init__(self, command: tuple[str, ...], env: dict[str, str], stdin: int, start_new_session: bool) -> None:
        self.command, self.env = command, env
        FakeServer.started.append(self)

    def poll(self) -> int | None:
        return 1 if FakeServer.is_dead else None

    def wait(self) -> int:
        return 0


@pytest.fixture
def servers(monkeypatch) -> list[FakeServer]:
    # The command's own name for it: what it imports starts processes, too.
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(Popen=FakeServer, PIPE=subprocess.PIPE))
    FakeServer.started = []
    return FakeServer.started


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def used_home(home: Path) -> Path:
    """A home in which something has been run."""
    home.mkdir()
    (home / "mlflow.db").touch()
    return home


@pytest.mark.usefixtures("servers")
def test_a_home_without_runs_says_how_to_start(graft, home):
    done = graft("ui")
    assert (done.exit_code, done.out) == (2, "")
    assert done.err == f"graft: {home} has no runs yet; start one with `graft run JOB`\n"


def test_it_serves_this_home_on_this_machine(graft, servers, used_home, free_port):
    done = graft("ui", "--port", free_port)
    assert done.exit_code == 0
    assert f"http://127.0.0.1:{free_port}" in done.out
    (server,) = servers
    assert f"sqlite:///{used_home}/mlflow.db" in server.command
    token = server.env[TOKEN_VARIABLE]
    assert f"http://127.0.0.1:{free_port}/?token={token}" in done.out
    assert token not in " ".join(server.command)
    assert used_home.stat().st_mode & 0o777 == 0o700


def test_a_taken_port_exits_3_before_a_server_is_started(graft, servers, used_home):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = graft("ui", "--port", taken.getsockname()[1])
    assert (done.exit_code, servers) == (3, [])
    assert "choose another with --port" in done.err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_whatever_ends_it_ends_the_server_and_its_children(graft, used_home, free_port, tmp_path, monkeypatch, how):
    parent = "import subprocess; subprocess.Popen(['sleep', '600']).wait()"

    def server(*_: Any) -> UiServer:
        command = (sys.executable, "-S", "-c", parent)
        return UiServer(command, {"PATH": os.environ["PATH"]}, "http://127.0.0.1:1", "token")

    groups: list[int] = []

    def await_child_and_interrupt() -> None:
        while not (groups and len(_members(groups[0])) > 1):
            time.sleep(0.01)
        os.kill(os.getpid(), how)

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            groups.append(self.pid)

    monkeypatch.setattr("graft.tracking.ui.ui_server", server)
    monkeypatch.setattr(module, "subprocess", SimpleNamespace(Popen=Recorded, PIPE=subprocess.PIPE))
    thread = threading.Thread(target=await_child_and_interrupt, daemon=True)
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    # A process in the background is born with SIGINT ignored, and Python leaves it so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        assert graft("ui", "--port", free_port).exit_code == 0
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    thread.join()
    while _members(groups[0]):
        time.sleep(0.01)


def _members(group: int) -> list[int]:
    """Processes of a group, ended ones that nobody has waited for left out."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, pgid, state in rows if int(pgid) == group and not state.startswith("Z")]


@pytest.fixture
def seven(used_home: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    """An experiment in a store that gives it the id 7."""
    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", lambda target, key, run: ("7", "run"))
    return Experiment.create(Home(used_home), parse_job({"name": "seven", "data": "digits"}))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser ends at that is opened, on a machine with a display whose server answers at once."""
    pages: list[str] = []

    def show(url: str) -> None:
        content = Path(url.removeprefix("file://")).read_text() if url.startswith("file:") else url
        pages.append(html.unescape(content.partition("url=")[2].partition('">')[0]) if content != url else url)

    monkeypatch.setattr("webbrowser.open", show)
    monkeypatch.setattr("graft.tracking.server.is_up", lambda base: True)
    monkeypatch.setenv("DISPLAY", ":0")
    return pages


def test_it_points_at_the_comparison_page_of_the_newest_experiment(graft, servers, seven, opened, free_port):
    done = graft("ui", "--port", free_port)
    key = view_key(seven.name, "strategies")
    (server,) = servers
    base = f"http://127.0.0.1:{free_port}/?token={server.env[TOKEN_VARIABLE]}"
    page = f"{base}#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey={key}"
    assert f"strategies of {seven.name}: {page}" in done.out
    assert f"trials of {seven.name}: " in done.out
    assert opened == [f"{page}&compareRunsMode=CHART"]


@pytest.mark.usefixtures("servers", "seven")
def test_a_server_that_does_not_start_opens_no_page(graft, opened, free_port, monkeypatch):
    monkeypatch.setattr(FakeServer, "is_dead", True)
    graft("ui", "--port", free_port)
    assert opened == []


@pytest.mark.usefixtures("servers", "seven")
def test_no_browser_is_opened_if_not_wanted_or_without_a_display(graft, opened, free_port, monkeypatch):
    graft("ui", "--no-browser", "--port", free_port)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    graft("ui", "--port", free_port)
    assert opened == []


def test_a_server_of_somebody_else_is_named_and_none_is_started(graft, servers, used_home, opened, monkeypatch):
    monkeypatch.setattr("graft.tracking.mlflow.registration.find_run", lambda target, key, run: ("7", None))
    job = {"name": "far", "data": "digits", "tracking": {"uri": "http://me@tracker:5000"}}
    Experiment.create(Home(used_home), parse_job(job))
    done = graft("ui", "far")
    assert (done.exit_code, servers) == (0, [])
    assert "http://tracker:5000/#/experiments/7/runs" in done.out
    assert "me@" not in done.out
    assert len(opened) == 1
