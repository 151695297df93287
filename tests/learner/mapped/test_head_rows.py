from typing import Any

import pytest
import torch
from tests.learner.mapped.conftest import Bundle
from torch import nn

from graft.data.dataset import Split
from graft.learner.cached_features import FeatureCache
from graft.learner.mapped.head_rows import start_head
from graft.learner.prefix import prefix_of
from graft.learner.pretrained import build_network, preprocessing_for
from graft.learner.supervised import build_learner
from graft.learner.training_data import TrainingData
from graft.models.bundle import read_bundle
from graft.spec.strategy import Strategy
from graft.transfer.adapt import adapt

TARGET = "timm:test_efficientnet"


def strategy(source: object, **fields: Any) -> Strategy:
    init = {"kind": "mapped", "source": str(source)}
    return Strategy.model_validate({"backbone": TARGET, "init": init, "resolution": 32, "batch_size": 10, **fields})


def rows(data: TrainingData, wanted: Strategy) -> tuple[int, nn.Linear]:
    network, _ = build_network(data, wanted)
    adapt(network, wanted, data.seed)
    count = start_head(network, data, wanted)
    return count, next(one for one in reversed(list(network.head.modules())) if isinstance(one, nn.Linear))


def test_labels_of_the_same_name_start_from_their_rows(training_data: TrainingData, bundle: Bundle) -> None:
    ours = training_data.arrays.names
    directory = bundle(names=("x", ours[1], ours[0]))
    count, layer = rows(training_data, strategy(directory))
    _, drawn = rows(training_data, strategy(bundle(names=("x", "y"), name="others")))
    source = read_bundle(directory).build().head
    weight = next(one for one in source.parameters() if one.ndim == 2)
    assert count == 2
    assert torch.equal(layer.weight[0], weight[2])
    assert torch.equal(layer.weight[1], weight[1])
    assert torch.equal(layer.weight[2:], drawn.weight[2:])


@pytest.mark.parametrize("fields", [{"head": "mlp"}, {"standardise": True, "freeze": 1.0}])
def test_other_heads_start_at_random(training_data: TrainingData, bundle: Bundle, fields: dict[str, Any]) -> None:
    directory = bundle(names=tuple(training_data.arrays.names))
    assert rows(training_data, strategy(directory, **fields))[0] == 0


def test_a_backbone_has_no_rows(training_data: TrainingData) -> None:
    wanted = strategy("efficientnet_lite0").model_copy(update={"backbone": "efficientnet_lite0"})
    assert rows(training_data, wanted)[0] == 0
    assert start_head(build_network(training_data, Strategy(resolution=32))[0], training_data, Strategy()) == 0


class TestLearning:
    """What follows from the start, where a learner is made of it."""

    def test_it_trains_from_the_mapped_weights(self, training_data: TrainingData, bundle: Bundle) -> None:
        directory = bundle(names=tuple(training_data.arrays.names))
        learner = build_learner(training_data, strategy(directory, penalty="l2_sp"), (Split.TRAIN,))
        source = read_bundle(directory).build().state_dict()
        state = learner.session.model.network.state_dict()
        assert all(torch.equal(tensor, source[name]) for name, tensor in state.items())
        assert learner.session.adapted.penalty.value().item() == pytest.approx(
            0.5 * 1e-3 * float((source["head.1.weight"] ** 2).sum()), rel=1e-3
        )

    def test_samples_are_seen_as_the_source_saw_them(self, training_data: TrainingData, bundle: Bundle) -> None:
        found = preprocessing_for(training_data, strategy(bundle()))
        assert found.model_dump()["mean"] == (0.1, 0.2, 0.3)

    def test_frozen_blocks_of_two_sources_are_two(
        self, training_data: TrainingData, bundle: Bundle, tmp_path: Any
    ) -> None:
        from dataclasses import replace

        from graft.data.feature_store.store import FeatureStore

        first, second = (strategy(bundle(seed=seed, name=f"b{seed}"), freeze=1.0) for seed in (0, 1))
        prefixes = [prefix_of(one) for one in (first, second, Strategy(backbone=TARGET, freeze=1.0, resolution=32))]
        assert len(set(prefixes)) == 3
        store = FeatureStore(tmp_path / "features", 10**9)
        cache = FeatureCache(store, "rows", frozenset(one for one in prefixes if one))
        data = replace(training_data, feature_cache=cache)
        told = [build_learner(data, one, (Split.TRAIN,)).facts for one in (first, first, second)]
        assert [one["cache/misses"] for one in told] == [2, 0, 2]
