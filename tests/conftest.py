"""What all tests share: one Ray session, an environment that reaches no network, and a word on where the time went."""

import functools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from graft.cli.ending import ending

# Many folders ask for stores and pictures: one server of each stands for all. Only what is imported fast is here.
pytest_plugins = [
    "tests.distribution",
    *(f"tests.fixtures.{name}" for name in ("stores", "homes", "azure_store", "azurite", "google_store", "images")),
]

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# What a run finds out of its task for later runs costs seconds; tests of the memory turn it on.
os.environ.setdefault("GRAFT_MEMORY", "off")
# On pictures of 64 pixels a second thread doubles the processor time and saves none; two that spin while they wait for
# each other beside another process, such as those of the shared Ray, take up to twenty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Metrics reach Ray's endpoint within this, in ms; ten times as often as in use.
os.environ.setdefault("RAY_metrics_report_interval_ms", "1000")

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("graft", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("graft")

REPOSITORY = Path(__file__).parent.parent
SLOWEST = 20
_seconds: Counter[str] = Counter()
_ray_sessions: Counter[str] = Counter()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray for all tests that need it: starting one for each would cost 5 s a time."""
    from graft.pipeline.ray_session import ray_session

    _count_ray_sessions()
    with ray_session():
        yield


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """pytest's own, without the link that it leaves for each name, all of which it reads for each new folder."""
    yield tmp_path
    tmp_path.with_name(f"{tmp_path.name[:-1]}current").unlink(missing_ok=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty graft home, also named by GRAFT_HOME."""
    directory = tmp_path / "home"
    monkeypatch.setenv("GRAFT_HOME", str(directory))
    return directory


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid] += report.duration


def pytest_runtest_setup(item: pytest.Item) -> None:
    _count_ray_sessions()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    ending.code = int(exitstatus)  # of tests, not of what threads of libraries meet when all has been said
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["ray_sessions"] = dict(_ray_sessions)


def pytest_testnodedown(node: Any) -> None:
    """The Ray sessions of a worker, which is about to end, are counted with those of this process."""
    _ray_sessions.update(getattr(node, "workeroutput", {}).get("ray_sessions", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The tests that the time goes to, with their fixtures, and the Ray sessions that all processes started."""
    if not _seconds:
        return
    terminalreporter.section(f"slowest {SLOWEST} tests")
    for name, seconds in _seconds.most_common(SLOWEST):
        terminalreporter.line(f"{seconds:8.2f} s  {name}")
    terminalreporter.line(f"Ray sessions started by these tests: {_ray_sessions.total()}")
    for name, count in _ray_sessions.most_common(SLOWEST):
        terminalreporter.line(f"{count:8d}    {name}")


def _count_ray_sessions() -> None:
    """Have `ray.init` counted by the test that calls it; nothing where nobody has imported Ray yet."""
    ray = sys.modules.get("ray")
    if ray is None or hasattr(ray.init, "is_counted"):
        return
    init = ray.init

    @functools.wraps(init)
    def counted(*args: Any, **kwargs: Any) -> Any:
        _ray_sessions[os.environ.get("PYTEST_CURRENT_TEST", "?").rpartition(" (")[0]] += 1
        return init(*args, **kwargs)

    counted.is_counted = True  # type: ignore[attr-defined]
    ray.init = counted
