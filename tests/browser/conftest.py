"""A real run and a replayed search in one MLflow store, its server, and a headless Chromium that looks at it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.journal.journal import Journal
from graft.pipeline.resolve import resolve_job
from graft.spec.load import parse_job
from graft.tracking.server import is_up

sys.path.insert(0, str(Path(__file__).parent))

from replayed_search import record_search

REPOSITORY = Path(__file__).parents[2]
SCREENSHOTS = Path(os.environ.get("GRAFT_SCREENSHOTS", REPOSITORY / ".ci" / "artifacts" / "screenshots"))
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# No sandbox, because containers run as root; no /dev/shm, because theirs is small.
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
GRAFT = [sys.executable, "-c", "from graft.cli.main import main; main()"]
JOB = """
name: small
data: {kind: digits, validation: 0.2, test: 0.2, limit: 400}
strategy:
  backbone: efficientnet_lite0
  freeze: {choice: [0.5, 0.75, 1.0]}
  penalty: {choice: [none, l2_sp]}
  lr: {loguniform: [1.0e-3, 6.0e-3]}
  resolution: 32
training: {epochs: 2}
search: {scheduler: {kind: asha, reduction_factor: 2}, metric: accuracy, budget: {trials: 4, minutes: 5}}
tracking: {experiment: compared}
"""


@dataclass(frozen=True)
class Results:
    """What has been run: the names of a real experiment and of a replayed one, in one home."""

    home: Path
    real: str
    replayed: str

    def graft(self, *arguments: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(_graft(self.home, *arguments, "--json"))

    def journal(self, experiment: str) -> Path:
        """The journal of an experiment."""
        return self.home / "experiments" / experiment / "journal.jsonl"


@dataclass
class Screen:
    """A browser's page, and where pictures of it are kept."""

    page: Any
    errors: list[str] = field(default_factory=list)

    def open(self, url: str, until: str) -> None:
        """Load an address and wait until a text is there."""
        self.page.goto(url)
        self.page.get_by_text(until, exact=False).first.wait_for(timeout=120_000)

    def shoot(self, name: str) -> None:
        """Keep a picture."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say where the pictures are."""
    if terminalreporter.config.option.markexpr != "browser":
        return
    for picture in sorted(SCREENSHOTS.glob("*.png")):
        terminalreporter.write_line(f"screenshot: {picture}")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The system's browser."""
    found = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail(f"no Chromium is installed (none of {', '.join(CHROMIUMS)}); `apt-get install chromium`")
    return found


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Results:
    """Both experiments, shipped to the home's store; nothing is run if nobody can look at it."""
    home = tmp_path_factory.mktemp("home")
    job = home / "job.yaml"
    job.write_text(JOB)
    real = json.loads(_graft(home, "run", str(job), "--json"))
    assert real["tracking_complete"]
    replayed = parse_job({"name": "replayed", "data": "digits", "tracking": {"experiment": "compared"}})
    # As a run does before it writes its journal: of a job that leaves its metric open there is nothing to compare by.
    experiment = Experiment.create(Home(home), resolve_job(replayed).job)
    with Journal(experiment.journal_file) as journal:
        record_search(journal, experiment.name, experiment.job().model_dump(mode="json"))
    _graft(home, "track", "sync", experiment.name)
    return Results(home, real["experiment"], experiment.name)


@dataclass(frozen=True)
class Server:
    """The server that `graft ui` has started: its port, and the address that it has printed, with its token."""

    port: int
    printed: str

    def address(self, page: str) -> str:
        """Any of its pages, as the printed one: the token lets every new browser in."""
        return f"{self.printed.partition('#')[0]}#{page.partition('#')[2]}"


@pytest.fixture(scope="session")
def server(results: Results) -> Iterator[Server]:
    """`graft ui`, as a user starts it."""
    port = _free_port()
    log = results.home / "server.txt"
    with log.open("wb") as stream:
        command = [*GRAFT, "ui", "--no-browser", "--port", str(port)]
        process = subprocess.Popen(command, env=_environment(results.home), stdout=stream, stderr=stream)
    try:
        while not is_up(f"http://127.0.0.1:{port}"):
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)
        printed = next(word for word in log.read_text().split() if word.startswith("http://"))
        yield Server(port, printed)
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[Any]:
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def screen(chromium: Any) -> Iterator[Screen]:
    """A page of its own for each test; an error of the page's scripts is an error of the test."""
    page = chromium.new_page(viewport={"width": 1700, "height": 1500})
    # It opens by itself on a first visit and covers a quarter of the page.
    page.add_init_script("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')")
    screen = Screen(page)
    page.on("pageerror", lambda error: screen.errors.append(str(error)))
    yield screen
    page.close()
    assert screen.errors == []


@pytest.fixture
def address(results: Results, server: Server) -> Callable[[str, str], str]:
    """The address of a view: `address(experiment, "strategies")`."""

    def find(experiment: str, kind: str) -> str:
        views = results.graft("compare", experiment, "--port", str(server.port))["views"]
        return server.address(str(views[experiment][kind]))

    return find


def _graft(home: Path, *arguments: str) -> str:
    done = subprocess.run([*GRAFT, *arguments], capture_output=True, text=True, env=_environment(home))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _environment(home: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return environment | {"GRAFT_HOME": str(home), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
