"""Meta-training as a search: trials on Ray Tune, a winner by held-out tasks, several workers, gone on after a break."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.fixtures.meta_pools import pool_of, samples_of
from tests.pipeline.episodes.test_run import job_of, trained

from graft.core.errors import DataError, Interrupted, SpecError
from graft.core.storage import Home
from graft.episodes.meta_model import read_meta_model
from graft.journal import events
from graft.journal.journal import read
from graft.pipeline.episodes import run, searching
from graft.pipeline.episodes.run import MetaResult, meta_train
from graft.pipeline.stages.ending import EndOf
from graft.training.checkpoint import load_state

SPACES: dict[str, Any] = {
    "start": {"kind": "network", "channels": {"choice": [4, 16]}},
    "adapter": {"choice": ["prototypes", {"kind": "ridge", "penalty": {"loguniform": [0.1, 10.0]}}]},
    "tasks": {"ways": {"choice": [3, 4]}, "shots": [1, 2], "queries": 3, "within": 0.0},
    "training": {"epochs": 3, "steps": 4, "tasks": 2, "lr": {"loguniform": [1e-3, 0.1]}},
    "search": {"scheduler": {"kind": "asha", "reduction_factor": 2}, "budget": {"trials": 4}},
}
PBT: dict[str, Any] = {
    "training": {"epochs": 3, "steps": 4, "tasks": 2, "lr": {"loguniform": [1e-4, 0.3]}},
    "search": {"scheduler": "pbt", "population": 4},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for step in ("_registered", "_shipped"):
        monkeypatch.setattr(run, step, lambda *_: "")
    return Home(tmp_path)


def told(result: MetaResult, kind: type[events.Event]) -> list[Any]:
    return [one for _, one in read(result.model.directory.parent / "journal.jsonl") if isinstance(one, kind)]


def curves(result: MetaResult) -> dict[tuple[str, int], float]:
    return {(one.trial, one.epoch): one.metrics["val/accuracy"] for one in told(result, events.TrialReported)}


@pytest.mark.ray
@pytest.mark.usefixtures("ray_session")
class TestASearch:
    def test_asha_stops_some_and_the_best_on_held_out_tasks_is_the_meta_model(self, home: Home) -> None:
        result = trained(home, job_of(**SPACES))
        best = max(curves(result).values())
        (winner,) = told(result, events.WinnerChosen)
        trials = result.to_json()["trials"]
        assert trials[0]["trial"] == winner.trial
        assert trials[0]["accuracy"] == best
        assert {one["status"] for one in trials} >= {"completed", "stopped"}
        (strategy,) = (one.strategy for one in told(result, events.TrialStarted) if one.trial == winner.trial)
        spec = read_meta_model(result.model.directory).spec
        assert spec.start.model_dump() == strategy["episodes"]["start"]
        assert spec.adapter.model_dump() == strategy["episodes"]["adapter"]
        kept = load_state(result.model.directory.parent / "checkpoints" / winner.trial / "best.safetensors")
        assert kept.best_metrics["val/accuracy"] == best
        weights = result.model.weights()
        assert all(torch.equal(one, weights[name]) for name, one in kept.part("best").items())
        assert result.trained.tasks == sum(one["epochs"] * 4 * 2 for one in trials)

    @pytest.mark.slow
    def test_members_of_a_population_copy_weights_and_vary_the_rate(self, home: Home) -> None:
        result = trained(home, job_of(**PBT))
        copied = told(result, events.TrialExploited)
        assert copied
        for one in copied:
            (rate,) = (
                report.metrics["train/lr"]
                for report in told(result, events.TrialReported)
                if (report.trial, report.epoch) == (one.trial, one.epoch + 1)
            )
            assert 0 < rate <= one.strategy["lr"]
        assert all(one["epochs"] == 3 for one in result.trained.trials)

    @pytest.mark.slow
    def test_one_that_was_interrupted_ends_like_one_that_was_not(
        self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = trained(home, job_of(**PBT))
        other, ends = Home(tmp_path / "other"), searching.MetaSearch._end_of_search
        seen: list[int] = []

        def count(trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
            seen.append(epoch)

        with monkeypatch.context() as patch:
            over = events.SearchEnded("interrupt")

            def ending(*given: Any) -> EndOf:
                usual = ends(*given)
                return lambda: over if len(seen) >= 6 else usual()

            patch.setattr(searching.MetaSearch, "_end_of_search", ending)
            with pytest.raises(Interrupted, match="during the search; the same command goes on"):
                meta_train(job_of(**PBT), other, pool_of(samples_of()), count)
        assert 6 <= len(seen) < 12
        again = trained(other, job_of(**PBT))
        assert curves(again) == curves(whole)
        assert again.to_json()["accuracy"] == whole.to_json()["accuracy"]

    @pytest.mark.slow
    def test_two_workers_learn_what_one_does(self, home: Home) -> None:
        one = trained(home, job_of(name="alone"))
        two = trained(home, job_of(name="shared", resources={"workers": 2}))
        assert len(told(two, events.TrialReported)) == 3
        weights = two.model.weights()
        for name, tensor in one.model.weights().items():
            torch.testing.assert_close(weights[name], tensor, rtol=1e-2, atol=1e-3)


def test_tasks_larger_than_the_data_are_refused_before_any_trial(home: Home) -> None:
    spaces = {**SPACES, "tasks": {**SPACES["tasks"], "ways": {"choice": [3, 40]}}}
    with pytest.raises(DataError, match="there are 12 classes, but a task of 40 ways needs 40"):
        trained(home, job_of(**spaces))
    assert not (home.root / "meta").exists()


def test_an_update_searches_no_other_start(home: Home) -> None:
    trained(home, job_of())
    wide = job_of(start={"kind": "network", "channels": {"choice": [16, 32]}})
    with pytest.raises(SpecError, match="start: is searched, but an update goes on from the weights of one"):
        trained(home, wide, is_update=True)
