"""The benchmark of the driver: its arithmetic, and a tiny run of it."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports the script, which has its own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("driver")


def test_a_cost_that_stays_is_the_same_in_all_windows(driver: Any) -> None:
    assert driver.windows([0.001 * number for number in range(1000)], 100) == pytest.approx([0.001] * 8)


def test_a_cost_that_grows_shows(driver: Any) -> None:
    costs = driver.windows([1e-6 * number**2 for number in range(1000)], 0)
    assert costs[-1] / costs[0] == pytest.approx(15, rel=0.05)


def test_one_slow_moment_is_not_growth(driver: Any) -> None:
    moments = [0.001 * number + (5.0 if number > 950 else 0.0) for number in range(1000)]
    assert driver.windows(moments, 0)[-1] == pytest.approx(0.001)


@pytest.mark.slow
@pytest.mark.parametrize("scheduler", ["none", "asha"])
def test_the_smallest_run_ends_all_trials(scheduler: str) -> None:
    command = [sys.executable, HERE / "driver.py", "--smoke", "--scheduler", scheduler]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert (found["benchmark"], found["ended"]) == ("driver", 60)
