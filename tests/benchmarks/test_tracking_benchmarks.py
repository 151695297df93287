"""The parts of the benchmarks of tracking that need no measurement, and each whole one, tiny."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script as a module; it has its own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("journal")


def test_the_smallest_run_ends_with_its_json_line() -> None:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1] / "platform"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE / "journal.py", "--smoke"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert found["benchmark"] == "journal"
    assert set(found["driver_ms_a_trial"]) == {"5", "20"}


def test_a_driver_is_flat_if_many_trials_cost_what_few_do(bench: Any) -> None:
    def runs(milliseconds: float, trials: int) -> list[dict[str, float]]:
        return [{"seconds": milliseconds * trials / 1000, "cpu": 0.001 * trials, "records": 10, "read": 0.1}]

    appends = {"epoch": [1000.0], "decision": [100.0, 300.0, 200.0]}
    flat = bench.summary(appends, {1000: runs(5.5, 1000), 10: runs(5.0, 10)})
    assert flat["growth"] == pytest.approx(1.1)
    assert flat["is_flat"]
    assert flat["appends_a_second"]["decision"] == {"min": 100.0, "median": 200.0, "max": 300.0}
    assert flat["driver_cpu_ms_a_trial"]["10"]["median"] == pytest.approx(1.0)
    assert not bench.summary(appends, {10: runs(5.0, 10), 1000: runs(50.0, 1000)})["is_flat"]


def test_a_simulated_search_journals_every_trial(bench: Any, tmp_path: Path) -> None:
    from graft.journal.events import TrialFinished, TrialStarted
    from graft.journal.journal import read

    found = bench.search(tmp_path / "journal.jsonl", 12)
    kinds = [type(event) for _, event in read(tmp_path / "journal.jsonl")]
    assert kinds.count(TrialStarted) == kinds.count(TrialFinished) == 12
    assert found["records"] == len(kinds)
