"""What all tests share: one Ray session, and an environment that reaches no network."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray for all tests that need it: starting one for each would cost 5 s a time."""
    from graft.pipeline.ray_session import ray_session

    with ray_session():
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty graft home, also named by GRAFT_HOME."""
    directory = tmp_path / "home"
    monkeypatch.setenv("GRAFT_HOME", str(directory))
    return directory
