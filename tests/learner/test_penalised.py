"""Penalties that look at activations, with a real backbone: what they learn from, stored features, folds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from graft.data.dataset import Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.cross_validation.folds import folds_of
from graft.learner.prefix import Prefix
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"


def strategy(penalty: Any, **changes: Any) -> Strategy:
    raw = {"backbone": LITE0, "freeze": 0.94, "resolution": 32, "batch_size": 10, "penalty": penalty, **changes}
    return Strategy.model_validate(raw)


def relation_of(learner: SupervisedLearner) -> torch.Tensor:
    found: torch.Tensor = learner.session.adapted.activation_penalty._relation  # type: ignore[union-attr]
    return found


def test_co_tuning_learns_what_imagenet_says_of_each_label(training_data: TrainingData) -> None:
    learner = build_learner(training_data, strategy("co_tuning"), (Split.TRAIN,))
    relation = relation_of(learner)
    assert relation.shape == (len(training_data.arrays.names), 1000)
    torch.testing.assert_close(relation.sum(dim=1), torch.ones(len(relation)))
    again = build_learner(training_data, strategy("co_tuning"), (Split.TRAIN,))
    assert torch.equal(relation, relation_of(again))
    assert learner.train(None, validate=True).status.value == "completed"


@pytest.mark.parametrize("penalty", ["delta", "co_tuning", "bss", "contrast"])
def test_stored_features_give_the_same_training(training_data: TrainingData, tmp_path: Path, penalty: str) -> None:
    one = strategy(penalty, optimizer="sgd", lr=1e-3)
    prefix = Prefix(LITE0, 32, 16)
    cache = FeatureCache(FeatureStore(tmp_path, 10**9), "rows", frozenset([prefix]))
    stored = build_learner(replace(training_data, feature_cache=cache), one, (Split.TRAIN,))
    computed = build_learner(training_data, one, (Split.TRAIN,))
    assert stored.takes_features
    losses: list[list[float]] = [[], []]
    for learner, told in zip((stored, computed), losses, strict=True):
        learner.train(lambda result, told=told: told.append(result.metrics["train/loss"]), validate=False)  # type: ignore[misc]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_each_fold_learns_from_its_own_rows(training_data: TrainingData) -> None:
    folds = folds_of(EvaluationSpec(folds=2), training_data)
    learner = build_learner(replace(training_data, folds=folds, epochs=1), strategy("co_tuning"), (Split.TRAIN,))
    assert learner.folds is not None
    relations = [one.session.adapted.activation_penalty._relation for one in learner.folds.models]  # type: ignore[union-attr]
    assert not torch.equal(*relations)
    learner.train(None, validate=True)
