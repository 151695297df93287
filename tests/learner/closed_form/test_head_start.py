"""A head that starts where a solved one stands: tempered, the same every time, gone once there are trained weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from graft.data.dataset import Split
from graft.learner.cross_validation.folds import Fold
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.spec.components.head_start import ClosedFormStart
from graft.spec.strategy import Strategy

START = Strategy(freeze=1.0, resolution=32, batch_size=10, head_start="closed_form")


def loss_at_start(learner: SupervisedLearner) -> float:
    rows = learner.rows
    with torch.inference_mode():
        head = learner.session.model.network.head.eval()
        outputs = head(torch.from_numpy(learner._features_of(rows)))
    return float(learner.session.loss(outputs, torch.from_numpy(learner.data.arrays.targets[rows])))


def head_of(learner: SupervisedLearner) -> dict[str, torch.Tensor]:
    return {name: one.clone() for name, one in learner.session.model.network.head.state_dict().items()}


@pytest.mark.parametrize("level", [0.3, 0.7])
@pytest.mark.parametrize("freeze", [1.0, 0.5])
def test_its_loss_is_the_share_that_was_asked_for(training_data: TrainingData, level: float, freeze: float) -> None:
    strategy = START.model_copy(update={"head_start": ClosedFormStart(level=level), "freeze": freeze})
    learner = build_learner(training_data, strategy, (Split.TRAIN,))
    nothing = torch.log(torch.tensor(float(training_data.task.num_outputs(training_data.arrays.names))))
    assert loss_at_start(learner) == pytest.approx(level * float(nothing), rel=0.02)


def test_it_is_the_same_every_time_and_training_goes_on_from_what_was_left(training_data: TrainingData) -> None:
    one, other = (build_learner(training_data, START, (Split.TRAIN,)) for _ in range(2))
    assert all(torch.equal(value, head_of(other)[name]) for name, value in head_of(one).items())
    other.train(lambda result: False, validate=False)
    one.load(other.state())
    assert all(torch.equal(value, head_of(other)[name]) for name, value in head_of(one).items())


def test_folds_start_from_their_own_rows(training_data: TrainingData) -> None:
    rows = training_data.arrays.rows(Split.TRAIN)
    half = np.random.default_rng(0).permutation(rows)
    folds = (Fold(half[:10], half[10:]), Fold(half[10:], half[:10]))
    learner = build_learner(replace(training_data, folds=folds), START, (Split.TRAIN,))
    assert learner.folds is not None
    first, second = (one.session.model.network.head[1].weight for one in learner.folds.models)
    assert not torch.allclose(first, second)


def test_it_means_nothing_where_the_head_is_no_linear_one() -> None:
    assert START.model_copy(update={"head": Strategy(head="mlp").head}).canonical() == (
        Strategy(freeze=1.0, resolution=32, batch_size=10, head="mlp").canonical()
    )
    assert "head_start" not in Strategy().model_dump()
    assert "closed_form" in START.label()
