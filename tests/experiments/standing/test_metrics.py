"""What Prometheus is told of a run."""

import re
from pathlib import Path
from typing import Any

import pytest

from graft.experiments.budget import Deadline
from graft.experiments.progress import Progress
from graft.experiments.run_clock import RunClock
from graft.experiments.standing import metrics
from graft.experiments.standing.metrics import METRICS, measured
from graft.journal import events
from graft.journal.events import TrialStatus
from graft.journal.journal import Journal, journal_path
from graft.spec.load import parse_job
from graft.tracking.relay_files import RelayFiles, RelayState, RelayStatus
from graft.workers.allocation import Allocation
from graft.workers.exporter import Sample

ALLOCATION = Allocation(cpus=1, gpus=0, concurrent=2, most_cpus=2)
STORY: tuple[events.Event, ...] = (
    events.ExperimentStarted("x", "x", {}, time=100.0),
    events.TrialStarted("t00", {}, "a", time=101.0),
    events.TrialStarted("t01", {}, "b", time=101.0),
    events.TrialReported("t00", 1, {"val/accuracy": 0.5, "cache/hits": 1.0}, 2.0, time=103.0),
    events.TrialReported("t00", 2, {"val/accuracy": 0.75}, 4.0, time=107.0),
    events.TrialFinished("t00", TrialStatus.COMPLETED, time=108.0),
)


@pytest.fixture
def run(clock: Any, tmp_path: Path) -> RunClock:
    job = parse_job({"name": "x", "data": "digits", "resources": {"price": {"cpu_hour": 0.5}}})
    progress = Progress(job.objective, 4)
    with Journal(journal_path(tmp_path)) as journal:
        for event in STORY:
            progress.apply(journal.append(event))
    clock.seconds = 1000.0 + 36.0
    return RunClock(job, progress, clock, ALLOCATION, ALLOCATION, Deadline(600.0, "minutes"), 1000.0)


def by_name(samples: Any) -> dict[str, float]:
    def told(sample: Sample) -> str:
        rest = [value for name, value in sample.labels.items() if name != "experiment"]
        return " ".join([sample.metric.name, *rest])

    return {told(sample): sample.value for sample in samples}


def test_how_a_run_stands(run: RunClock, tmp_path: Path) -> None:
    found = by_name(measured("x", run, RelayFiles(tmp_path), now=130.0))
    assert found == {
        "graft_trials running": 1,
        "graft_trials completed": 1,
        "graft_trials stopped": 0,
        "graft_trials failed": 0,
        "graft_trials interrupted": 0,
        "graft_epochs": 2,
        "graft_training_seconds": 6.0,
        "graft_cache_hits": 1.0,
        "graft_cache_misses": 0.0,
        "graft_best_score accuracy": 0.75,
        "graft_spent_seconds": 36.0,
        "graft_budget_seconds": 600.0,
        "graft_cost": pytest.approx(2 * 0.5 * 36 / 3600),
        "graft_relay_lag_seconds": 30.0,
    }


def test_the_lag_is_that_of_the_oldest_record_on_the_way(run: RunClock, tmp_path: Path) -> None:
    files = RelayFiles(tmp_path)
    files.directory.mkdir()
    size = journal_path(tmp_path).stat().st_size
    files.write_status(RelayStatus(RelayState.FOLLOWING, offset=size))
    assert by_name(measured("x", run, files, now=130.0))["graft_relay_lag_seconds"] == 0.0
    with Journal(journal_path(tmp_path)) as journal:
        journal.append(events.SearchEnded("trials", time=120.0))
    assert by_name(measured("x", run, files, now=130.0))["graft_relay_lag_seconds"] == 10.0


def test_all_that_is_told_is_in_the_table(run: RunClock, tmp_path: Path) -> None:
    told = {sample.metric for sample in measured("x", run, RelayFiles(tmp_path))}
    assert told == set(METRICS)
    assert all(set(one.labels) >= {"experiment"} for one in METRICS)
    assert metrics.EPOCHS.exposed == "ray_graft_epochs_total"
    assert metrics.BEST.exposed == "ray_graft_best_score"


def test_the_documentation_has_them_all_and_no_other(repository: Path) -> None:
    text = (repository / "docs" / "observability.md").read_text()
    assert re.findall(r"^\| `(ray_graft_\w+)` \|", text, re.MULTILINE) == [one.exposed for one in METRICS]
