"""A batch that is larger than the data is an epoch of one step, on every path that a trial can take."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from graft.data.dataset import Dataset, Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.cross_validation.folds import folds_of
from graft.learner.prefix import prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.spec.search.evaluation import EvaluationSpec
from graft.spec.strategy import Strategy

PATHS: dict[str, dict[str, Any]] = {
    "whole": {"freeze": 0.0},
    "augmented": {"freeze": 0.75, "augment": {"kind": "light"}},
    "mixed": {"freeze": 0.9, "mix": "mixup"},
    "gradual": {"freeze": 0.5, "unfreeze": "gradual"},
    "sharpness": {"freeze": 0.9, "sam": 0.05},
    "solved": {"freeze": 1.0, "head": "ridge"},
}


def strategy(batch_size: int, **fields: Any) -> Strategy:
    return Strategy.model_validate({"resolution": 32, "batch_size": batch_size, **fields})


def trained(data: TrainingData, one: Strategy) -> SupervisedLearner:
    learner = build_learner(data, one, (Split.TRAIN,))
    learner.train(None, validate=True)
    return learner


@pytest.mark.parametrize("path", PATHS)
def test_it_trains_as_a_batch_of_all_rows_does(training_data: TrainingData, path: str) -> None:
    data = replace(training_data, epochs=2)
    rows = len(data.arrays.rows(Split.TRAIN))
    all_rows, more = (trained(data, strategy(size, **PATHS[path])) for size in (rows, 10 * rows))
    assert more.session.steps_per_epoch == 1
    wanted = all_rows.session.model.changing_state()
    for name, tensor in more.session.model.changing_state().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0)


def test_it_trains_on_stored_features_and_by_folds(
    training_data: TrainingData, dataset: Dataset, tmp_path: Path
) -> None:
    one = strategy(4096, freeze=1.0)
    prefix = prefix_of(one)
    assert prefix is not None
    cache = FeatureCache(FeatureStore(tmp_path, 10**9), "f" * 64, frozenset({prefix}))
    folds = folds_of(EvaluationSpec(folds=3), training_data)
    learner = trained(replace(training_data, feature_cache=cache, folds=folds, epochs=2), one)
    assert learner.takes_features
    assert {"val/loss_low", "val/loss_high"} <= learner.best().best_metrics.keys()
