"""Features computed by Ray Data before a search are those that trials find."""

from dataclasses import replace
from pathlib import Path

import pytest

from graft.data.dataset import Dataset, Split
from graft.data.feature_store.store import FeatureStore
from graft.learner import materialise as module
from graft.learner.cached_features import FeatureCache
from graft.learner.materialise import materialise
from graft.learner.prefix import Prefix
from graft.learner.supervised import build_learner
from graft.learner.training_data import training_data_of
from graft.models.load import describe_backbone
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
BLOCKS = describe_backbone(LITE0).num_blocks
JOB = parse_job({"name": "x", "data": "digits", "strategy": {"backbone": LITE0, "resolution": 32}})


@pytest.fixture
def feature_cache(tmp_path: Path) -> FeatureCache:
    wanted = frozenset([Prefix(LITE0, 32, 8), Prefix(LITE0, 32, BLOCKS), Prefix(LITE0, 32, 8, views=2)])
    return FeatureCache(FeatureStore(tmp_path / "features", limit_bytes=10**9), "rows", wanted)


def cache_of(feature_cache: FeatureCache, dataset: Dataset, cut: int) -> tuple[float, float]:
    training_data = training_data_of(JOB, dataset, num_threads=1, feature_cache=feature_cache)
    strategy = Strategy(backbone=LITE0, freeze=cut / BLOCKS, resolution=32, batch_size=10)
    found = build_learner(replace(training_data, feature_cache=feature_cache), strategy, (Split.TRAIN,)).facts
    return found["cache/hits"], found["cache/misses"]


@pytest.mark.ray
def test_a_large_dataset_is_ready_when_the_trials_come(
    ray_session: None, feature_cache: FeatureCache, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGE", 20)
    materialise(feature_cache, JOB, dataset)
    assert cache_of(feature_cache, dataset, 8) == (2, 0)
    assert cache_of(feature_cache, dataset, BLOCKS) == (2, 0)


def test_a_small_one_is_left_to_the_trials(feature_cache: FeatureCache, dataset: Dataset) -> None:
    materialise(feature_cache, JOB, dataset)
    assert cache_of(feature_cache, dataset, 8) == (0, 2)


@pytest.mark.ray
def test_without_room_the_search_begins_all_the_same(
    ray_session: None,
    feature_cache: FeatureCache,
    dataset: Dataset,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(module, "LARGE", 20)
    full = replace(feature_cache, store=FeatureStore(feature_cache.store.catalog.root, limit_bytes=1000))
    materialise(full, JOB, dataset)
    assert "left to the trials" in caplog.text
