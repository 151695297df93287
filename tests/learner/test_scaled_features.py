"""Linear probes on standardised and selected features: from the training through the checkpoint to the bundle."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.dataset import Dataset, Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.ensemble.members import Member
from graft.learner.final_model import FinalModel, final_network, outputs_on
from graft.learner.fit import FitTask, fit
from graft.learner.prefix import Prefix
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData, training_data_of
from graft.models.bundle import read_bundle
from graft.models.feature_scaling import FeatureScaling
from graft.pipeline.stages.export import export
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
SCALED = {"standardise": True, "select": {"kind": "mutual_information", "keep": 0.25}}


def strategy(**changes: Any) -> Strategy:
    raw = {"backbone": LITE0, "freeze": 1.0, "resolution": 32, "batch_size": 10, **changes}
    return Strategy.model_validate(raw)


def scaling_of(learner: SupervisedLearner) -> FeatureScaling:
    found = learner.session.model.network.scaling
    assert found is not None
    return found


def test_a_probe_learns_on_scaled_features_of_its_training_rows(training_data: TrainingData) -> None:
    learner = build_learner(training_data, strategy(**SCALED), (Split.TRAIN,))
    scaling, rows = scaling_of(learner), training_data.arrays.rows(Split.TRAIN)
    features = learner.session.model.network.backbone(learner.given.samples.plain(rows))
    kept = scaling.scale > 0
    assert int(kept.sum()) == 320
    varied = kept & (features.std(dim=0) > 1e-4)  # of noise, many features are constant
    made = scaling(features)[:, varied]
    assert int(varied.sum()) > 8
    assert made.mean(dim=0).abs().max() < 1e-3
    assert made.std(dim=0, correction=0).numpy() == pytest.approx(1, abs=1e-2)
    before = {name: one.clone() for name, one in scaling.state_dict().items()}
    learner.train(None, validate=True)
    assert all(torch.equal(one, before[name]) for name, one in scaling.state_dict().items())
    assert learner.session.best_metrics["val/loss"] < np.log(2)


def test_stored_features_give_the_same_scaling(training_data: TrainingData, tmp_path: Path) -> None:
    cache = FeatureCache(FeatureStore(tmp_path, 10**9), "rows", frozenset([Prefix(LITE0, 32, 17)]))
    stored = build_learner(replace(training_data, feature_cache=cache), strategy(**SCALED), (Split.TRAIN,))
    computed = build_learner(training_data, strategy(**SCALED), (Split.TRAIN,))
    assert stored.takes_features
    assert torch.allclose(scaling_of(stored).mean, scaling_of(computed).mean, atol=1e-4)


def test_stored_views_are_what_it_is_fitted_on(training_data: TrainingData, tmp_path: Path) -> None:
    augment = {"kind": "light", "magnitude": 0.5, "views": 2}
    cache = FeatureCache(FeatureStore(tmp_path, 10**9), "rows", frozenset([Prefix(LITE0, 32, 17, views=2)]))
    data = replace(training_data, feature_cache=cache)
    learner = build_learner(data, strategy(standardise=True, augment=augment), (Split.TRAIN,))
    assert learner.takes_features
    assert scaling_of(learner).mean.abs().max() > 0


@pytest.mark.parametrize("others", [{"freeze": 0.5}, {"init": {"kind": "reinitialise", "blocks": 1}}])
def test_a_backbone_that_is_trained_is_not_scaled(training_data: TrainingData, others: dict[str, Any]) -> None:
    learner = build_learner(training_data, strategy(**SCALED, **others), (Split.TRAIN,))
    assert learner.session.model.network.scaling is None


def test_the_bundle_answers_with_the_same_numbers(dataset: Dataset, tmp_path: Path) -> None:
    job = parse_job({"name": "x", "data": "digits", "training": {"epochs": 1}})
    schedule = Schedule((Stretch(0, 1, strategy(**SCALED)),))
    model = FinalModel(job, dataset.directory, schedule, tmp_path / "weights.safetensors")
    fit(FitTask(model, num_threads=1))
    export([Member(model)], tmp_path / "bundle", {"accuracy": 0.5})
    data = training_data_of(job, dataset, 1)
    network, preprocessing = final_network(model, dataset, 1)
    again = read_bundle(tmp_path / "bundle").build()
    assert torch.equal(network.head[0].scale, again.head[0].scale)
    assert torch.equal(network.head[0].mean, again.head[0].mean)
    assert int((again.head[0].scale > 0).sum()) == 320
    rows = data.arrays.rows(Split.TEST)
    expected = outputs_on(data, network, preprocessing, rows)
    torch.testing.assert_close(outputs_on(data, again, preprocessing, rows), expected, rtol=1e-4, atol=1e-4)
