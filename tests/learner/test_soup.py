"""Averaged weights are kept only if they are better on the validation images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from graft.data.dataset import Dataset, Split
from graft.learner.checkpoints import CheckpointStore
from graft.learner.final_model import FinalModel, final_network
from graft.learner.soup import make_soup
from graft.learner.supervised import SupervisedFactory
from graft.learner.training_data import TrainingData
from graft.learner.trial import TrialPayload, train_proposal
from graft.search.protocol import CheckpointEpochs, Proposal
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy
from graft.training.checkpoint import TrainingState, load_state, save_state
from graft.training.world import ALONE

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=10, lr=0.01)


@pytest.fixture(scope="module")
def trained(training_data: TrainingData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best epoch of a trial."""
    store = CheckpointStore(tmp_path_factory.mktemp("trials"))
    payload = TrialPayload(SupervisedFactory(training_data), store, CheckpointEpochs())
    train_proposal(Proposal("t01", PROBE, epochs=4), payload, ALONE,
                   lambda epoch, metrics, notes: True)  # fmt: skip
    return store.best_file("t01")


@pytest.fixture
def model(dataset: Dataset, tmp_path: Path) -> FinalModel:
    raw = {"name": "x", "data": "digits", "search": {"metric": "loss"}, "training": {"epochs": 4, "final_on": "train"}}
    schedule = Schedule((Stretch(0, 4, PROBE),))
    return FinalModel(parse_job(raw), dataset.directory, schedule, tmp_path / "final" / "weights.safetensors")


@pytest.fixture
def moved(trained: Path, tmp_path: Path) -> Callable[[str, float], Path]:
    """``moved("a", 0.5)``: the trained weights with a head that was moved so far in one random direction."""
    direction = torch.randn(2, 1280, generator=torch.Generator().manual_seed(0))

    def write(name: str, far: float) -> Path:
        state = load_state(trained)
        tensors = dict(state.tensors)
        tensors["best/head.1.weight"] = tensors["best/head.1.weight"] + far * direction
        save_state(TrainingState(state.epochs_done, state.best_epoch, state.best_metrics, tensors), tmp_path / name)
        return tmp_path / name

    return write


def head(path: Path) -> Tensor:
    return load_state(path).part("best")["head.1.weight"]


@pytest.mark.parametrize("kind", ["uniform", "greedy"])
def test_an_average_that_is_better_is_kept(
    model: FinalModel, trained: Path, moved: Callable[[str, float], Path], kind: Any
) -> None:
    made = make_soup(model, [moved("a", 0.3), moved("b", -0.3)], kind, num_threads=1)
    assert made["score"] < made["alone"]  # a loss
    assert (made["is_better"], made["used"]) == (True, 2)
    assert torch.allclose(head(model.weights), head(trained), atol=1e-6)


def test_what_is_kept_is_the_final_model(
    model: FinalModel, trained: Path, moved: Callable[[str, float], Path], dataset: Dataset
) -> None:
    make_soup(model, [moved("a", 0.3), moved("b", -0.3)], "uniform", num_threads=1)
    network, _ = final_network(model, dataset, num_threads=1)
    assert torch.allclose(network.state_dict()["head.1.weight"], head(trained), atol=1e-6)


def test_a_uniform_average_that_is_worse_is_not_kept(
    model: FinalModel, trained: Path, moved: Callable[[str, float], Path]
) -> None:
    made = make_soup(model, [trained, moved("bad", 3.0)], "uniform", num_threads=1)
    assert made["score"] > made["alone"]
    assert (made["is_better"], made["used"]) == (False, 2)
    assert not model.weights.exists()


def test_a_greedy_average_leaves_out_what_makes_it_worse(
    model: FinalModel, trained: Path, moved: Callable[[str, float], Path]
) -> None:
    made = make_soup(model, [moved("a", 0.3), moved("bad", 5.0), moved("b", -0.3)], "greedy", num_threads=1)
    assert (made["is_better"], made["used"]) == (True, 2)
    assert torch.allclose(head(model.weights), head(trained), atol=1e-6)


def test_the_winner_alone_is_not_better_than_itself(
    model: FinalModel, trained: Path, moved: Callable[[str, float], Path]
) -> None:
    made = make_soup(model, [trained, moved("bad", 5.0)], "greedy", num_threads=1)
    assert (made["score"], made["used"], made["is_better"]) == (made["alone"], 1, False)
    assert not model.weights.exists()


def test_scores_are_those_of_the_validation_images(model: FinalModel, trained: Path, dataset: Dataset) -> None:
    made = make_soup(model, [trained, trained], "uniform", num_threads=1)
    assert made["alone"] == pytest.approx(load_state(trained).best_metrics["val/loss"], rel=1e-5)
    assert len(dataset.rows(Split.VALIDATION)) == 10
