"""Samples that count more than others, from the dataset to the weights of the network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from graft.core.errors import SpecError
from graft.data.dataset import Split
from graft.learner import supervised as module
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.spec.strategy import Strategy

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=32, lr=0.01)


def trained(data: TrainingData, weights: np.ndarray | None) -> dict[str, torch.Tensor]:
    arrays = replace(data.arrays, weights=weights, directory=None)
    learner = build_learner(replace(data, arrays=arrays, epochs=2), PROBE, (Split.TRAIN,))
    learner.train(None, validate=False)
    return {name: value.clone() for name, value in learner.session.model.changing_state().items()}


def test_equal_weights_change_nothing_and_others_do(training_data: TrainingData) -> None:
    count = len(training_data.arrays.targets)
    plain, equal, skewed = (
        trained(training_data, weights) for weights in (None, np.full(count, 7.0), np.arange(count) % 5.0)
    )
    for name, value in plain.items():
        torch.testing.assert_close(equal[name], value)
    assert any(not torch.allclose(skewed[name], value, atol=1e-4) for name, value in plain.items())


def test_a_loss_without_weights_is_refused(training_data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    task = type(training_data.task)
    monkeypatch.setattr(task, "loss", lambda *_: lambda outputs, targets: outputs.sum())
    weights = np.ones(len(training_data.arrays.targets))
    data = replace(training_data, arrays=replace(training_data.arrays, weights=weights, directory=None))
    with pytest.raises(SpecError, match=r"is cross_entropy, which takes no weights, but data.weight is given"):
        module.build_learner(data, PROBE, (Split.TRAIN,))
