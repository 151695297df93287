from dataclasses import replace

import numpy as np
import pytest

from graft.data.dataset import Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.supervised import extraction_for
from graft.learner.task_description import describe as describe_module
from graft.learner.task_description.describe import describe_task, reference_of
from graft.learner.task_description.fisher import fisher_diagonal
from graft.learner.task_description.rows import features_of_rows, sample_rows
from graft.meta.memory.records import TaskEntry
from graft.meta.task_embedding.vector import NAMES, WHOLE

ENTRY = TaskEntry("t", "image", "classification", 20, 2)


@pytest.fixture
def data(training_data, tmp_path):
    """Twenty small images of two kinds, with an empty feature store."""
    return replace(training_data, feature_cache=FeatureCache(FeatureStore(tmp_path / "features"), "f", frozenset()))


def test_a_task_is_described_and_the_same_every_time(data):
    found = describe_task(data, ENTRY)
    assert len(found.embedding) == len(NAMES)
    assert found.embedding_version == "1:efficientnet_lite0@64"
    assert found.meta_features["log_outputs"] == pytest.approx(np.log10(2))
    assert np.isfinite(found.embedding).all()
    assert describe_task(data, ENTRY) == found
    assert (found.task, found.rows) == ("t", 20)


def test_features_of_a_sample_are_those_of_the_store(data):
    reference = reference_of(data)
    rows = data.arrays.rows(Split.TRAIN)[1::3]
    computed = features_of_rows(data, reference.depths[WHOLE], rows)
    whole = extraction_for(data, reference.depths[WHOLE], Split.TRAIN)
    store = data.feature_cache.store
    with store.build(
        whole.key, (computed.shape[1],), whole.rows, lambda start, stop: iter([whole.extract(start, stop)])
    ):
        stored = features_of_rows(data, reference.depths[WHOLE], rows)
    assert stored == pytest.approx(computed, abs=0.02)


def test_a_sample_is_the_same_every_time_and_in_order(data):
    rows = sample_rows(data, 5)
    assert len(rows) == 5
    assert (np.diff(rows) > 0).all()
    assert (rows == sample_rows(data, 5)).all()
    assert len(sample_rows(data)) == len(data.arrays.rows(Split.TRAIN))


def test_a_modality_without_a_reference_has_its_numbers_only(data, monkeypatch):
    monkeypatch.setattr(describe_module, "reference_of", lambda _: None)
    found = describe_task(data, ENTRY)
    assert (found.embedding, found.embedding_version) == ((), "")
    assert found.meta_features["balance"] > 0


def test_the_fisher_information_is_finite_and_the_same_every_time(data):
    reference = reference_of(data).depths[WHOLE]
    rows = data.arrays.rows(Split.TRAIN)[:4]
    features = features_of_rows(data, reference, rows)
    found = fisher_diagonal(data, reference, rows, features)
    assert len(found) > 4
    assert np.isfinite(found).all()
    assert found == fisher_diagonal(data, reference, rows, features)
