"""A whole run in this process: its stages, its summary, and what is left of it when it ends early.

The search is played on learning curves; fit, evaluation and export are real. tests/integration has runs on Ray.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import Interrupted, ResourceError
from graft.core.storage import Home, read_json, write_json
from graft.data.dataset import Dataset
from graft.experiments.directory import Experiment
from graft.experiments.replay import find_schedule
from graft.experiments.result import Result
from graft.journal import events
from graft.journal.journal import read
from graft.pipeline.run import RunOptions, run_experiment
from graft.search.protocol import Proposal
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.workers.allocation import ClusterResources, Node

PROBE = {"freeze": 1.0, "resolution": 32, "batch_size": 10}
BASE = {
    "name": "small",
    "data": "digits",
    "strategy": PROBE | {"lr": {"loguniform": [1e-3, 1e-1]}},
    "training": {"epochs": 4},
    "export": {"register": False},
}
EXPLORE_THEN_EVOLVE = [
    {"scheduler": "none", "trials": 3},
    {"scheduler": "pbt", "population": 3, "from": "top"},
]


class NoRelay:
    """Stands for the process that ships to MLflow."""

    has_ended = False
    is_stopped = False

    @property
    def progress(self) -> object:
        return object()

    def drain(self, timeout: float) -> bool:
        return True


def rising(proposal: Proposal, epoch: int) -> float:
    return min(0.99, proposal.strategy.lr * 3 + epoch / 100)


@contextmanager
def one_core(logs: Path) -> Iterator[ClusterResources]:
    yield ClusterResources((Node(1),))


def run_without_ray(patched: pytest.MonkeyPatch, dataset: Dataset) -> None:
    def here(fn: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return fn(*arguments)

    patched.setattr("graft.pipeline.run.ray_session", one_core)
    patched.setattr("graft.pipeline.run.head_address", lambda: "127.0.0.1:1")
    patched.setattr("graft.pipeline.run.start_relay", lambda directory, target: NoRelay())
    patched.setattr("graft.pipeline.stages.ingest.ingest", lambda work, cache, progress: dataset)
    for stage in ("fit", "evaluate", "export"):
        patched.setattr(f"graft.pipeline.stages.{stage}.run_remote", here)


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch, dataset: Dataset) -> None:
    run_without_ray(monkeypatch, dataset)


@pytest.fixture
def make(home: Path) -> Callable[..., Experiment]:
    return lambda search, **sections: Experiment.create(Home(home), parse_job({**BASE, "search": search, **sections}))


def told(experiment: Experiment, kind: type[Any]) -> list[Any]:
    return [event for _, event in read(experiment.journal_file) if isinstance(event, kind)]


@dataclass(frozen=True)
class Finished:
    """A run that nothing has disturbed, and where it was."""

    result: Result
    experiment: Experiment
    home: Home


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory, curve_search_of: Any) -> Finished:
    home = Home(tmp_path_factory.mktemp("whole"))
    experiment = Experiment.create(home, parse_job({**BASE, "search": EXPLORE_THEN_EVOLVE}))
    with pytest.MonkeyPatch.context() as patched:
        run_without_ray(patched, dataset)
        patched.setattr("graft.pipeline.stages.search.run_search", curve_search_of(rising))
        return Finished(run_experiment(experiment, home), experiment, home)


def test_a_run_ends_with_a_model_and_says_what_it_did(whole: Finished) -> None:
    found = whole.result.summary
    assert found["status"] == "completed"
    assert list(found["stages"]) == ["ingest", "search", "fit", "evaluate", "export"]
    assert (Path(found["bundle"]) / "manifest.json").exists()
    assert 0 <= found["test_interval"][0] <= found["test"] <= found["test_interval"][1] <= 1
    assert found["validation"] == max(row["score"] for row in whole.result.rows)
    assert json.loads(json.dumps(found)) == read_json(whole.experiment.result_file)


@pytest.mark.parametrize("where", ["ingest", "fit"])
def test_an_interruption_at_any_moment_says_how_to_go_on(
    make: Any, home: Path, curve_search: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    curve_search(rising)
    experiment = make({"scheduler": "none", "budget": {"trials": 2}})
    with monkeypatch.context() as patched:
        if where == "ingest":
            patched.setattr("graft.pipeline.run.run_ingest", interrupt)
        else:  # pressed again, while the best so far is exported
            patched.setattr("graft.pipeline.stages.fit.run_remote", interrupt)
            patched.setattr("graft.pipeline.run.export_best_so_far", interrupt)
        with pytest.raises(Interrupted, match=f"^interrupted; `graft resume {experiment.name}` goes on$"):
            run_experiment(experiment, Home(home))
    (ended,) = told(experiment, events.ExperimentFinished)
    assert ended.status is events.ExperimentStatus.INTERRUPTED
    assert "graft resume" in ended.detail
    assert run_experiment(experiment, Home(home)).summary["status"] == "completed"


def test_the_summary_has_what_scripts_rely_on(whole: Finished) -> None:
    found = whole.result.summary
    assert found["exploits"] == len(told(whole.experiment, events.TrialExploited)) == 1
    first, second = found["phases"]
    assert (first["scheduler"], first["trials"]) == ("none", 3)
    assert (second["scheduler"], second["trials"]) == ("pbt", 3)
    assert second["best"] == found["validation"] > first["best"]
    budget = found["budget"]
    assert (budget["asked_s"], budget["stopped_by"]) == (None, "trials")
    assert budget["used_s"] > 0
    assert (found["workers"], found["nodes"]) == (1, 1)


def test_the_schedule_that_was_found_can_be_replayed(whole: Finished) -> None:
    schedule = find_schedule("small", whole.home)
    assert schedule == find_schedule(str(whole.experiment.schedule_file), whole.home)
    assert schedule.epochs == 4
    assert schedule.stretches[-1].strategy.model_dump(mode="json") == whole.result.summary["winner"]


def test_a_target_ends_the_search_and_the_phase_counts_as_far_as_it_came(
    make: Any, home: Path, curve_search: Any
) -> None:
    curve_search(rising)
    experiment = make({"phases": EXPLORE_THEN_EVOLVE, "budget": {"target": 0.02}})
    found = run_experiment(experiment, Home(home)).summary
    assert found["budget"]["stopped_by"] == "target"
    (only,) = found["phases"]
    assert only["trials"] == found["trials"]["total"] > 0
    assert only["best"] == found["validation"] >= 0.02
    assert found["stages"].keys() >= {"fit", "export"}


def test_a_budget_ends_the_search_so_that_the_rest_fits(make: Any, home: Path, curve_search: Any, clock: Any) -> None:
    clock.seconds = 5000.0

    def six_seconds_pass(proposal: Proposal, epoch: int) -> None:
        clock.seconds += 6.0

    curve_search(rising, on_epoch=six_seconds_pass)
    experiment = make({"scheduler": "none", "budget": {"minutes": 2}})
    found = run_experiment(experiment, Home(home), RunOptions(clock=clock)).summary
    assert found["budget"]["stopped_by"] == "minutes"
    assert found["budget"]["asked_s"] == 120
    (ended,) = told(experiment, events.SearchEnded)
    assert "the fit and the rest need about" in ended.detail
    # 5 s for a process, 5 s for the rest, and the fit: epochs of 1 s
    assert 120 - 6 - 10 - 10 < clock.seconds - 5000 <= 120


def test_a_budget_shorter_than_the_ingest_is_one_line(
    make: Any, home: Path, curve_search: Any, clock: Any, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(work: Any, cache: Path, progress: Any) -> Dataset:
        clock.seconds += 61.0
        return dataset

    search = curve_search(rising)
    monkeypatch.setattr("graft.pipeline.stages.ingest.ingest", slow)
    experiment = make({"scheduler": "none", "budget": {"minutes": 1}})
    with pytest.raises(ResourceError) as caught:
        run_experiment(experiment, Home(home), RunOptions(clock=clock))
    assert str(caught.value) == (
        "search.budget.minutes allows 60 s, but 61 s were spent before the search could begin; raise it (the data is "
        "ingested now, so the next run is quicker)"
    )
    assert search.trained == []
    (ended,) = told(experiment, events.ExperimentFinished)
    assert ended.status is events.ExperimentStatus.FAILED


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({"workers": 3}, "resources.cpus_per_worker is 1 for each of 3 workers, but this session has 1"),
        ({"gpus_per_worker": 1}, "resources.gpus_per_worker is 1, but this session has 0"),
    ],
)
def test_what_can_never_be_had_fails_at_once(
    make: Any, home: Path, curve_search: Any, resources: dict[str, Any], expected: str
) -> None:
    curve_search(rising)
    experiment = make({"scheduler": "none"}, resources=resources)
    with pytest.raises(ResourceError) as caught:
        run_experiment(experiment, Home(home))
    assert str(caught.value).startswith(expected)
    assert told(experiment, events.StageStarted) == []


def test_a_fit_that_can_never_begin_fails_before_the_search(make: Any, home: Path, curve_search: Any) -> None:
    curve_search(rising)
    experiment = make({"scheduler": "none"}, training={"epochs": 4, "fit": {"workers": 5}})
    with pytest.raises(ResourceError, match="1 for each of 5 workers, but this session has 1"):
        run_experiment(experiment, Home(home))
    assert told(experiment, events.StageStarted) == []


def test_money_that_is_never_spent_ends_no_search(make: Any, home: Path, curve_search: Any) -> None:
    curve_search(rising)
    experiment = make({"scheduler": "none", "budget": {"gpu_hours": 3}})
    with pytest.raises(ResourceError, match=r"search\.budget\.gpu_hours is 3, but a trial uses 1 CPU and 0 GPU"):
        run_experiment(experiment, Home(home))


def test_a_run_that_was_killed_goes_on(make: Any, home: Path, curve_search: Any, whole: Finished) -> None:
    dying = curve_search(rising, dies_after=8)
    experiment = make(EXPLORE_THEN_EVOLVE)
    with pytest.raises(dying.Killed):
        run_experiment(experiment, Home(home))
    curve_search(rising)
    found = run_experiment(experiment, Home(home)).summary
    for key in ("winner_trial", "winner", "validation", "exploits", "phases", "test"):
        assert found[key] == whole.result.summary[key], key
    assert found["trials"] == whole.result.summary["trials"]
    assert [one.stage for one in told(experiment, events.StageSkipped)] == ["ingest"]


def test_a_replay_is_no_search(make: Any, home: Path, curve_search: Any) -> None:
    curve_search(rising)
    experiment = make({"scheduler": "none", "budget": {"trials": 1}}, strategy=PROBE | {"lr": 0.02})
    first, second = (Strategy.model_validate(PROBE | {"lr": lr}) for lr in (0.1, 0.02))
    write_json(experiment.replay_file, Schedule((Stretch(0, 1, first), Stretch(1, 2, second))).to_dict())
    found = run_experiment(experiment, Home(home)).summary
    assert found["exploits"] == 0  # it goes on from its own weights
    assert [(one["scheduler"], one["trials"]) for one in found["phases"]] == [("replay", 1)]
    assert found["trials"]["total"] == 1
    schedule = find_schedule("small", Home(home))
    assert [(one.from_epoch, one.to_epoch, one.strategy.lr) for one in schedule.stretches] == [
        (0, 2, 0.1),
        (2, 4, 0.02),
    ]
