"""A trial that is scored by folds: what the folds say, what it costs, and what stays as it was without them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.dataset import Split
from graft.data.feature_store.store import FeatureStore
from graft.learner import cached_features as features
from graft.learner.cached_features import FeatureCache
from graft.learner.cross_validation.folds import folds_of, of_fold
from graft.learner.prefix import prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.strategy import Strategy
from graft.training.loop import EpochResult

PROBE = Strategy(freeze=1.0, resolution=32, batch_size=8, lr=0.01)
FIVE = EvaluationSpec(folds=5, repeats=2)


@pytest.fixture
def folded(training_data: TrainingData) -> TrainingData:
    return replace(training_data, folds=folds_of(FIVE, training_data), epochs=3)


@pytest.fixture
def cached(folded: TrainingData, tmp_path: Path) -> TrainingData:
    prefix = prefix_of(PROBE)
    assert prefix is not None
    return replace(folded, feature_cache=FeatureCache(FeatureStore(tmp_path, 10**9), "f" * 64, frozenset({prefix})))


def trained(data: TrainingData, strategy: Strategy = PROBE) -> tuple[SupervisedLearner, list[EpochResult]]:
    learner, seen = build_learner(data, strategy, (Split.TRAIN,)), []
    learner.train(lambda result: seen.append(result), validate=True)
    return learner, seen


def test_folds_hold_out_every_row_but_those_of_the_test(folded: TrainingData) -> None:
    rows = folded.arrays.rows(Split.TRAIN, Split.VALIDATION)
    assert len(folded.folds) == 10
    for repeat in (folded.folds[:5], folded.folds[5:]):
        assert sorted(np.concatenate([fold.held_out for fold in repeat])) == rows.tolist()
        for fold in repeat:
            assert sorted([*fold.training, *fold.held_out]) == rows.tolist()


def test_rows_that_belong_together_are_held_out_together(training_data: TrainingData) -> None:
    kin = np.arange(len(training_data.arrays.targets)) // 3
    folds = folds_of(FIVE, replace(training_data, arrays=replace(training_data.arrays, kin=kin)))
    assert not any(set(kin[fold.training]) & set(kin[fold.held_out]) for fold in folds)
    assert any(set(kin[fold.training]) & set(kin[fold.held_out]) for fold in folds_of(FIVE, training_data))
    assert of_fold(replace(training_data, arrays=replace(training_data.arrays, kin=kin)), folds[0]).arrays.kin is kin


def test_no_folds_are_made_where_none_are_asked_for(training_data: TrainingData) -> None:
    assert folds_of(EvaluationSpec(), training_data) == folds_of(None, training_data) == ()


def test_the_score_is_a_mean_with_bounds_and_the_weights_are_those_without_folds(
    folded: TrainingData, training_data: TrainingData
) -> None:
    learner, seen = trained(folded)
    plain, alone = trained(replace(training_data, epochs=3))
    for result, other in zip(seen, alone, strict=True):
        assert result.metrics["train/loss"] == other.metrics["train/loss"]
        assert result.metrics["val/loss_low"] <= result.metrics["val/loss"] <= result.metrics["val/loss_high"]
    assert seen[-1].metrics["val/loss"] != alone[-1].metrics["val/loss"]
    assert seen[-1].metrics["val/loss"] < seen[0].metrics["val/loss"]
    for name, value in plain.session.model.changing_state().items():
        torch.testing.assert_close(learner.session.model.changing_state()[name], value)
    assert learner.best().best_metrics["val/loss"] == min(result.metrics["val/loss"] for result in seen)


def test_frozen_blocks_are_shared_and_their_features_computed_once(
    cached: TrainingData, folded: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[int] = []
    real = features.in_process

    def counted(extract: Any, size: int) -> Any:
        computed.append(size)
        return real(extract, size)

    monkeypatch.setattr(features, "in_process", counted)
    learner, seen = trained(cached)
    assert len(computed) == 2  # of the training rows, and of the validation rows
    assert learner.folds is not None
    stems = {id(one.session.model.network.backbone.stem) for one in learner.folds.models}
    heads = {id(one.session.model.network.head) for one in learner.folds.models}
    assert stems == {id(learner.session.model.network.backbone.stem)}
    assert len(heads) == 10
    _, without = trained(folded)
    for result, other in zip(seen, without, strict=True):
        for name in ("val/loss", "val/accuracy", "val/loss_low", "val/loss_high"):
            assert result.metrics[name] == pytest.approx(other.metrics[name], abs=1e-5)


def test_a_trial_that_goes_on_has_the_scores_that_it_would_have_had(cached: TrainingData) -> None:
    _, seen = trained(cached)
    first = build_learner(cached, PROBE, (Split.TRAIN,))
    first.train(lambda result: result.epoch < 2, validate=True)
    second, rest = build_learner(cached, PROBE, (Split.TRAIN,)), []
    second.load(first.state())
    assert second.validation()["accuracy"] == seen[1].metrics["val/accuracy"]
    second.train(lambda result: rest.append(result), validate=True)
    assert [result.epoch for result in rest] == [3]
    assert rest[0].metrics["val/loss"] == pytest.approx(seen[2].metrics["val/loss"], abs=1e-6)


def test_a_network_that_is_trained_whole_has_a_copy_for_each_fold(folded: TrainingData) -> None:
    two = replace(folded, folds=folded.folds[:2], epochs=1)
    learner, seen = trained(two, PROBE.model_copy(update={"freeze": 0.5}))
    assert learner.folds is not None
    last = {id(one.session.model.network.backbone.blocks[-1]) for one in learner.folds.models}
    assert len(last) == 2
    assert np.isfinite(seen[0].metrics["val/accuracy"])
