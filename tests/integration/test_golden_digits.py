"""`jobs/digits.yaml` is what it was before modality and task became seams: data, trials, losses of first epochs."""

import json
from pathlib import Path
from typing import Any

import pytest

from graft.core.seeds import derive_seed
from graft.data.dataset import Dataset, Split
from graft.data.ingest import ingest
from graft.learner.supervised import build_learner
from graft.learner.training_data import training_data_of
from graft.models.load import describe_backbone
from graft.pipeline.stages.ingest import ingestion_of
from graft.search.proposer import SearchProposer
from graft.search.searchers.build import build_searcher
from graft.spec.components.skip import Depth
from graft.spec.job import Job
from graft.spec.load import load_job
from graft.spec.strategy import Strategy
from graft.training.plan import EpochResult

TRAINED = ("t01", "t02")


@pytest.fixture(scope="module")
def golden(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "tests" / "assets" / "golden_digits.json").read_text())


@pytest.fixture(scope="module")
def job(repository: Path) -> Job:
    return load_job(repository / "jobs" / "digits.yaml")


@pytest.fixture(scope="module")
def strategies(job: Job, golden: dict[str, Any]) -> dict[str, Strategy]:
    phase = job.phases[0]
    searcher = build_searcher(phase.searcher, job.strategy, job.objective, derive_seed(job.search.seed, phase.index))
    depths = {name: Depth(describe_backbone(name).num_blocks) for name in job.strategy.values("backbone")}
    proposer = SearchProposer(searcher, phase, history=tuple, depth=lambda one: depths[one.backbone])
    drawn = (proposer.propose(lambda duplicate: None) for _ in golden["trials"])
    return {one.trial: one.strategy for one in drawn if one is not None}


@pytest.fixture(scope="module")
def dataset(ray_session: None, job: Job, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return ingest(ingestion_of(job), tmp_path_factory.mktemp("datasets"))


def test_the_trials_are_the_same(golden: dict[str, Any], strategies: dict[str, Strategy]) -> None:
    found = [
        {
            "trial": trial,
            "backbone": one.backbone,
            "freeze": one.freeze,
            "lr": one.lr,
            "penalty": one.penalty.kind,
            "head": one.head.kind,
            "augment": one.augment.kind,
        }
        for trial, one in strategies.items()
    ]
    wanted = [{key: value for key, value in one.items() if key != "first_epoch_loss"} for one in golden["trials"]]
    assert found == wanted


@pytest.mark.ray
def test_the_data_are_the_same(golden: dict[str, Any], dataset: Dataset) -> None:
    assert dataset.fingerprint == golden["fingerprint"]


@pytest.mark.ray
@pytest.mark.parametrize("trial", TRAINED)
def test_first_epochs_lose_the_same(
    golden: dict[str, Any], job: Job, dataset: Dataset, strategies: dict[str, Strategy], trial: str
) -> None:
    learner = build_learner(training_data_of(job, dataset, num_threads=1), strategies[trial], (Split.TRAIN,))
    losses: list[float] = []

    def on_epoch(result: EpochResult) -> bool:
        losses.append(result.metrics["train/loss"])
        return False

    learner.train(on_epoch, validate=True)
    wanted = next(one["first_epoch_loss"] for one in golden["trials"] if one["trial"] == trial)
    # Other processors sum in another order; on the one that it was recorded on, it is equal to the last bit.
    assert losses == [pytest.approx(wanted, rel=1e-4)]
