"""Edited backbones in training: stored features, checkpoints, final fit and bundle are those of the edited network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.batch import FEATURES, Batch
from graft.data.dataset import Dataset, Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.ensemble.members import Member
from graft.learner.final_model import FinalModel
from graft.learner.fit import FitTask, fit
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner, extraction_for
from graft.learner.training_data import TrainingData
from graft.models.backbone import Backbone
from graft.models.bundle import read_bundle
from graft.models.load import describe_backbone
from graft.pipeline.stages.export import export
from graft.search.strategy_schedule import Schedule, Stretch
from graft.spec.load import parse_job
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
BLOCKS = describe_backbone(LITE0).num_blocks
SKIP_SIX = {"kind": "at", "depths": [6.5 / BLOCKS]}


def strategy(freeze: float = 1.0, **structure: Any) -> Strategy:
    raw = {"backbone": LITE0, "freeze": freeze, "resolution": 32, "batch_size": 10, "structure": structure}
    return Strategy.model_validate(raw)


def prefix(freeze: float = 1.0, **structure: Any) -> Prefix:
    found = prefix_of(strategy(freeze, **structure))
    assert found is not None
    return found


class TestPrefix:
    """Which features are shared."""

    def test_below_the_cut_it_does_not_matter_what_is_dropped_above_it(self) -> None:
        assert prefix(0.25, keep=16 / BLOCKS) == prefix(4 / BLOCKS) == Prefix(LITE0, 32, 4)

    def test_blocks_left_out_above_the_cut_do_not_matter_those_below_do(self) -> None:
        assert prefix(0.25, skip=SKIP_SIX) == prefix(4 / BLOCKS)
        assert prefix(0.5, skip=SKIP_SIX) == Prefix(LITE0, 32, 8, left_out=(6,))

    def test_a_network_that_ends_at_the_cut_is_pooled(self) -> None:
        assert prefix(keep=8 / BLOCKS) == Prefix(LITE0, 32, 8, pool="own")
        assert prefix(keep=8 / BLOCKS, pool="gem") == Prefix(LITE0, 32, 8, pool="gem")
        assert prefix() == Prefix(LITE0, 32, BLOCKS)
        assert prefix(pool="max") == Prefix(LITE0, 32, BLOCKS, pool="max")

    def test_copies_below_the_cut_are_shared_with_nobody(self) -> None:
        assert prefix(4 / 10, keep=8 / BLOCKS, deepen=0.5) == prefix(4 / BLOCKS)  # of ten blocks, the fifth is copied
        assert prefix_of(strategy(6 / 10, keep=8 / BLOCKS, deepen=0.5)) is None

    def test_wider_blocks_below_the_cut_are_shared_with_nobody(self) -> None:
        assert prefix_of(strategy(0.25, widen=2.0)) is None

    def test_what_is_below_what(self) -> None:
        map_at_four = prefix(4 / BLOCKS)
        assert map_at_four.is_below(prefix(keep=8 / BLOCKS))
        assert map_at_four.is_below(prefix())
        assert map_at_four.is_below(prefix(0.5, skip=SKIP_SIX))
        assert not prefix(8 / BLOCKS).is_below(prefix(0.5, skip=SKIP_SIX))
        assert not prefix(keep=4 / BLOCKS).is_below(prefix(keep=8 / BLOCKS))
        assert not map_at_four.is_below(map_at_four)


CASES = [{"keep": 0.5}, {"keep": 0.5, "pool": "avg_max"}, {"skip": SKIP_SIX}, {"pool": "gem"}]


def learners(data: TrainingData, freeze: float, root: Path, **structure: Any) -> tuple[SupervisedLearner, ...]:
    """One that goes through the whole network, one that starts from features, in whose cache all of it is wanted."""
    wanted = frozenset(prefix(some, **one) for one in CASES for some in (1.0, 0.25))
    cached = replace(data, feature_cache=FeatureCache(FeatureStore(root), "rows", wanted))
    return tuple(build_learner(one, strategy(freeze, **structure), (Split.TRAIN,)) for one in (data, cached))


@pytest.mark.parametrize("freeze", [1.0, 0.25])
@pytest.mark.parametrize("structure", CASES, ids=str)
def test_training_from_stored_features_is_training_of_the_edited_network(
    training_data: TrainingData, tmp_path: Path, structure: dict[str, Any], freeze: float
) -> None:
    through, above = learners(training_data, freeze, tmp_path, **structure)
    assert above.takes_features
    assert not through.takes_features
    wanted, found = (one.train(None, validate=True) for one in (through, above))
    assert found.best_metrics == pytest.approx(wanted.best_metrics, rel=1e-3)
    for name, tensor in wanted.best_state.items():
        torch.testing.assert_close(found.best_state[name], tensor, rtol=1e-3, atol=1e-4)


def test_depths_share_what_lies_below_all_of_them(
    training_data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = [strategy(0.5, keep=8 / BLOCKS), strategy(keep=8 / BLOCKS), strategy(keep=12 / BLOCKS)]
    found = frozenset(one for cut in cuts if (one := prefix_of(cut)))
    data = replace(training_data, feature_cache=FeatureCache(FeatureStore(tmp_path), "rows", found))
    assert build_learner(data, cuts[0], (Split.TRAIN,)).facts["cache/misses"] == 2

    def never(self: Backbone, batch: Batch, cut: int) -> torch.Tensor:
        raise AssertionError("the images went through the network again")

    monkeypatch.setattr(Backbone, "below", never)
    for cut in cuts[1:]:
        assert build_learner(data, cut, (Split.TRAIN,)).facts["cache/misses"] == 2
    assert build_learner(data, cuts[2], (Split.TRAIN,)).facts["cache/misses"] == 0


class TestOnTheWay:
    """A pass through the whole network pools what networks that end before it want of the same samples."""

    ENDS = (strategy(keep=4 / BLOCKS), strategy(keep=12 / BLOCKS))

    def cached(self, data: TrainingData, root: Path, limit_bytes: int = 10**9) -> TrainingData:
        wanted = frozenset(one for some in (*self.ENDS, strategy()) if (one := prefix_of(some)))
        return replace(data, feature_cache=FeatureCache(FeatureStore(root, limit_bytes), "rows", wanted))

    def test_they_find_what_they_would_have_computed(
        self, training_data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alone = [
            build_learner(self.cached(training_data, tmp_path / "alone"), end, (Split.TRAIN,)) for end in self.ENDS
        ]
        data = self.cached(training_data, tmp_path / "together")
        assert build_learner(data, strategy(), (Split.TRAIN,)).facts["cache/misses"] == 6

        def never(self: Backbone, batch: Batch) -> torch.Tensor:
            raise AssertionError("the images went through the network again")

        monkeypatch.setattr(Backbone, "begin", never)
        rows = training_data.arrays.rows(Split.TRAIN)
        for end, one in zip(self.ENDS, alone, strict=True):
            found = build_learner(data, end, (Split.TRAIN,))
            assert (found.facts["cache/misses"], found.facts["cache/hits"]) == (0, 2)
            expected, given = (learner.given.frozen.inputs.plain(rows)[FEATURES] for learner in (one, found))
            torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-6)

    def test_only_what_nobody_has_is_written(self, training_data: TrainingData, tmp_path: Path) -> None:
        data = self.cached(training_data, tmp_path)
        assert build_learner(data, self.ENDS[1], (Split.TRAIN,)).facts["cache/misses"] == 4
        assert build_learner(data, strategy(), (Split.TRAIN,)).facts["cache/misses"] == 2

    def test_without_room_for_them_the_own_features_are_kept(self, training_data: TrainingData, tmp_path: Path) -> None:
        rows = sum(len(training_data.arrays.rows(split)) for split in (Split.TRAIN, Split.VALIDATION))
        whole = rows * describe_backbone(LITE0).num_features * 4
        learner = build_learner(self.cached(training_data, tmp_path, int(whole * 1.2)), strategy(), (Split.TRAIN,))
        assert learner.takes_features

    def test_which_prefixes_are_met_on_the_way(self) -> None:
        assert prefix(keep=8 / BLOCKS).is_on_the_way_to(prefix())
        assert prefix(keep=8 / BLOCKS).is_on_the_way_to(prefix(keep=12 / BLOCKS))
        assert not prefix(keep=8 / BLOCKS, pool="gem").is_on_the_way_to(prefix())
        assert not prefix(keep=8 / BLOCKS).is_on_the_way_to(prefix(pool="gem"))
        assert not prefix(keep=8 / BLOCKS).is_on_the_way_to(prefix(skip=SKIP_SIX))
        assert not prefix(keep=12 / BLOCKS).is_on_the_way_to(prefix(keep=8 / BLOCKS))
        assert not prefix(8 / BLOCKS).is_on_the_way_to(prefix())


def test_features_of_every_depth_are_those_of_the_edited_network(training_data: TrainingData, tmp_path: Path) -> None:
    cached = replace(training_data, feature_cache=FeatureCache(FeatureStore(tmp_path), "rows", frozenset()))
    for structure in CASES:
        one = strategy(**structure)
        features = extraction_for(cached, one, Split.TRAIN).extract(0, 5)
        learner = build_learner(training_data, one, (Split.TRAIN,))
        rows = training_data.arrays.rows(Split.TRAIN)[:5]
        with torch.inference_mode():
            direct = learner.session.model.network.backbone.eval()(learner.given.samples.plain(rows))
        np.testing.assert_allclose(features, direct.numpy(), rtol=1e-4, atol=1e-5)


def test_what_the_edit_costs_is_a_fact_of_the_trial_where_the_search_edits(training_data: TrainingData) -> None:
    edited = replace(training_data, edits_structure=True)
    facts = build_learner(edited, strategy(keep=0.5), (Split.TRAIN,)).facts
    assert (facts["model/params"], facts["model/whole_params"]) == (253_984, 3_371_008)
    assert 0 < facts["model/multiply_adds"] < facts["model/whole_multiply_adds"]
    trained = {"model/trainable_params", "model/trainable_share"}
    assert build_learner(training_data, strategy(keep=0.5), (Split.TRAIN,)).facts.keys() == trained


def test_copies_of_blocks_learn(training_data: TrainingData) -> None:
    learner = build_learner(training_data, strategy(0.5, keep=8 / BLOCKS, deepen=0.5), (Split.TRAIN,))
    blocks = learner.session.model.network.backbone.blocks
    assert len(blocks) == 10
    closing = blocks[5].bn3.weight
    assert float(closing.abs().max()) == 0
    learner.train(None, validate=False)
    assert float(closing.abs().max()) > 0


def test_the_state_of_another_structure_is_refused(training_data: TrainingData) -> None:
    donor, other = (build_learner(training_data, strategy(0.0, keep=keep), (Split.TRAIN,)) for keep in (0.5, 0.25))
    with pytest.raises(Exception, match="do not fit"):
        other.load(donor.state())


@pytest.mark.parametrize(
    "structure",
    [
        {"keep": 0.3, "pool": "gem"},
        {"skip": {"kind": "spread", "share": 0.5}},
        {"keep": 0.5, "deepen": 0.5},
        {"keep": 0.4, "widen": 2.0},
    ],
)
def test_the_bundle_of_an_edited_network_answers_as_it_does(
    dataset: Dataset, tmp_path: Path, structure: dict[str, Any]
) -> None:
    job = {
        "name": "edited", "data": {"kind": "digits"}, "task": "classification",
        "strategy": {"resolution": 32, "freeze": 1.0, "structure": structure}, "training": {"epochs": 1},
    }  # fmt: skip
    one = strategy(0.0 if structure.keys() & {"deepen", "widen"} else 1.0, **structure)
    schedule = Schedule((Stretch(0, 1, one),))
    model = FinalModel(parse_job(job), dataset.directory, schedule, tmp_path / "fit.safetensors")
    fit(FitTask(model, num_threads=1))
    export([Member(model)], tmp_path / "bundle", {})  # which reads it back, and compares
    network = read_bundle(tmp_path / "bundle").build()
    assert len(network.backbone.blocks) < BLOCKS
