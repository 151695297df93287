"""Augmented and mixed samples in a whole training: one process or two, whole or broken off, it is the same training."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from graft.data.augmentation.draws import Draws
from graft.data.dataset import Split
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.info import PIXELS
from graft.spec.strategy import Strategy
from graft.training.loop import train_epoch

CUTMIX = {"kind": "cutmix", "share": 0.5}
CHANGED: list[dict[str, Any]] = [{"augment": "trivial", "mix": "mixup"}, {"augment": "augmix", "mix": CUTMIX}]


def learner(data: TrainingData, **changes: Any) -> SupervisedLearner:
    given = {"resolution": 32, "batch_size": 8, "lr": 1e-3, "freeze": 1.0, **changes}
    return build_learner(replace(data, epochs=1), Strategy.model_validate(given), (Split.TRAIN,))


@pytest.mark.parametrize("changes", CHANGED, ids=["mixup", "cutmix"])
def test_a_training_that_was_broken_off_within_an_epoch_goes_on_as_if_it_had_not_been(
    training_data: TrainingData, changes: dict[str, Any]
) -> None:
    whole = learner(training_data, **changes)
    outcome = whole.train(None, validate=True)
    assert outcome.status.value == "completed"
    broken = learner(training_data, **changes)
    broken.train(None, validate=True, train_one=partial(train_epoch, on_step=lambda epoch, steps: steps < 2))
    assert broken.session.partial.steps == 2
    resumed = learner(training_data, **changes)
    resumed.load(broken.state())
    resumed.train(None, validate=True)
    weights, wanted = (one.session.model.network.state_dict() for one in (resumed, whole))
    assert all(torch.equal(weights[name], wanted[name]) for name in wanted)


def test_mixed_targets_are_those_of_training_alone(training_data: TrainingData) -> None:
    made = learner(training_data, mix="mixup")
    batch = next(made.batches().epoch(0, 1))
    assert batch.targets.ndim == 2
    assert batch.targets.dtype == torch.float32
    assert {"loss", "accuracy"} <= set(made.validation_metrics(made.session.model))


def test_another_magnitude_holds_from_the_next_epoch_on(training_data: TrainingData) -> None:
    """A population trains on with the weights and the strategy that it was given: its learner is built anew."""
    weak, strong = (
        learner(training_data, augment={"kind": "rand", "magnitude": magnitude}) for magnitude in (0.05, 1.0)
    )
    rows = weak.rows[:8]
    changed = []
    for made in (weak, strong):
        plain = made.given.samples.plain(rows)[PIXELS]
        augmented = made.given.samples.augmented(made.augmenter, Draws.of_epoch(rows, 0, 2))[PIXELS]  # type: ignore[arg-type]
        changed.append((augmented - plain).abs().mean())
    assert changed[0] < changed[1]
