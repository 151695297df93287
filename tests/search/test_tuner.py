"""A whole search on Ray Tune, with curves instead of training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graft.search.proposer import RandomProposer
from graft.search.protocol import Duplicate, Proposal, TrialEnd, TrialReporter
from graft.search.tuner import SearchRequest, run_search
from graft.spec.metrics import METRICS
from graft.spec.search import Asha, NoScheduler
from graft.spec.space import StrategySpace
from graft.tracking.events import TrialStatus

pytestmark = pytest.mark.ray

EPOCHS = 4
SPACE = StrategySpace.parse({"lr": {"loguniform": [1e-4, 1e-1]}})


class Heard:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.reports: dict[str, list[int]] = {}
        self.ends: dict[str, TrialEnd] = {}
        self.duplicates: list[Duplicate] = []

    def on_duplicate(self, duplicate: Duplicate) -> None:
        self.duplicates.append(duplicate)

    def on_started(self, proposal: Proposal) -> None:
        self.started.append(proposal.trial)

    def on_report(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        self.reports.setdefault(trial, []).append(epoch)
        assert metrics["val/accuracy"] >= 0

    def on_finished(self, trial: str, end: TrialEnd) -> None:
        assert trial not in self.ends, "a trial ends once"
        self.ends[trial] = end


def request(tmp_path: Path, scheduler: Any, **changes: Any) -> SearchRequest:
    return SearchRequest(
        name="search",
        storage=tmp_path,
        metric=METRICS["accuracy"],
        epochs=EPOCHS,
        scheduler=scheduler,
        cpus=1,
        gpus=0,
        concurrent=2,
        **changes,
    )


def curve(proposal: Proposal, payload: dict[str, float], reporter: TrialReporter) -> None:
    """Accuracy rises towards a height that the learning rate decides; some trials break."""
    for epoch in range(1, EPOCHS + 1):
        if proposal.trial == payload.get("breaks") and epoch == 2:
            raise RuntimeError("the disk is on fire\nand there is more")
        if proposal.trial == payload.get("diverges") and epoch == 2:
            reporter.fail("loss is nan in epoch 2, step 1")
            return
        reporter.report({"val/accuracy": proposal.strategy.lr * 10 * epoch / EPOCHS, "train/seconds": 0.0})


@pytest.mark.usefixtures("ray_session")
def test_every_trial_is_started_reported_and_ended_once(tmp_path: Path) -> None:
    heard = Heard()
    run_search(request(tmp_path, NoScheduler()), RandomProposer(SPACE, 5, seed=0), curve, {}, heard)
    assert sorted(heard.started) == ["t01", "t02", "t03", "t04", "t05"]
    assert heard.reports == {trial: [1, 2, 3, 4] for trial in heard.started}
    assert {end.status for end in heard.ends.values()} == {TrialStatus.COMPLETED}
    assert set(heard.ends) == set(heard.started)


@pytest.mark.usefixtures("ray_session")
def test_a_broken_trial_fails_alone_and_says_why(tmp_path: Path) -> None:
    heard = Heard()
    payload = {"breaks": "t02", "diverges": "t03"}
    run_search(request(tmp_path, NoScheduler()), RandomProposer(SPACE, 4, seed=0), curve, payload, heard)
    assert heard.ends["t02"] == TrialEnd(TrialStatus.FAILED, "RuntimeError: the disk is on fire")
    assert heard.ends["t03"] == TrialEnd(TrialStatus.FAILED, "loss is nan in epoch 2, step 1")
    assert heard.reports["t02"] == heard.reports["t03"] == [1]
    assert {heard.ends[trial].status for trial in ("t01", "t04")} == {TrialStatus.COMPLETED}


@pytest.mark.usefixtures("ray_session")
def test_asha_stops_trials_in_reused_actors_and_the_best_one_finishes(tmp_path: Path) -> None:
    heard = Heard()
    proposer = RandomProposer(SPACE, 9, seed=0)
    run_search(request(tmp_path, Asha(reduction_factor=2)), proposer, curve, {}, heard)
    stopped = {trial for trial, end in heard.ends.items() if end.status is TrialStatus.STOPPED}
    assert stopped
    assert len(heard.ends) == 9
    assert all(end.rung is not None for trial, end in heard.ends.items() if trial in stopped)
    assert {heard.ends[trial].status for trial in set(heard.ends) - stopped} == {TrialStatus.COMPLETED}


@pytest.mark.usefixtures("ray_session")
def test_the_end_of_time_ends_the_search_and_no_trial_is_left_open(tmp_path: Path) -> None:
    heard = Heard()
    out_of_time = request(tmp_path, NoScheduler(), is_out_of_time=lambda: len(heard.ends) >= 2)
    run_search(out_of_time, RandomProposer(SPACE, 50, seed=0), curve, {}, heard)
    assert 2 <= len(heard.started) < 50
    assert set(heard.ends) == set(heard.started)
