"""The parts of the relay's benchmarks that need no measurement, and the smallest run of it."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module as the scripts do, which have their own directory on the path."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module


def test_the_journal_asks_for_eight_metrics_an_epoch(module: Any, tmp_path: Path) -> None:
    relay, journals = module("relay"), module("graft.journal.journal")
    from graft.tracking.audit import Expected

    with journals.Journal(journals.journal_path(tmp_path)) as journal:
        relay.write_journal(journal, "SQLite", trials=5, epochs=2)
    expected = Expected.of(journals.scan(journals.journal_path(tmp_path)))
    assert len(expected.trials) == 5
    curves = [len(places) for run in expected.points.values() for name, places in run.items() if "final/" not in name]
    assert sum(curves) == 5 * 2 * 8 + 5, "and the best value so far once a trial"


def test_postgres_is_left_out_with_a_reason(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = module("stores")
    monkeypatch.setattr(stores.shutil, "which", lambda name: None)
    assert stores.why_no_postgres() == "not there: no `initdb` on the path"
    monkeypatch.setattr(stores.shutil, "which", lambda name: name)
    monkeypatch.setattr(stores.importlib.util, "find_spec", lambda name: None)
    assert stores.why_no_postgres().startswith("not there: none of the drivers psycopg2, psycopg")


def test_a_ratio_is_of_one_turn(module: Any) -> None:
    cost = module("tracking_cost")
    seconds = {"without": [10.0, 20.0, 10.0], "with": [10.0, 22.0, 10.1], "killed": [10.0, 20.0, 9.0]}
    found = cost.summarise(seconds)
    assert found["with"] == pytest.approx({"min": 1.0, "median": 1.01, "max": 1.1})
    assert found["killed"]["median"] == 1.0


def test_a_trial_is_told_of_from_its_first_report_to_its_end(module: Any) -> None:
    cost = module("tracking_cost")
    started: set[str] = set()
    told = [
        type(event).__name__
        for said in (cost.Said("t1", 1, {"loss": 1.0}, 1.0), cost.Said("t1", 1, {}, 2.0))
        for event in cost._events(said, started)
    ]
    assert told == ["TrialStarted", "TrialReported", "TrialFinished"]


@pytest.mark.slow
@pytest.mark.parametrize("script", ["relay.py", "tracking_cost.py"])
def test_the_smallest_run(script: str) -> None:
    done = subprocess.run([sys.executable, str(HERE / script), "--smoke"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["benchmark"] == script.removesuffix(".py")
    for one in found.get("results", []):
        assert (one["lost"], one["doubled"]) == (0, 0)
