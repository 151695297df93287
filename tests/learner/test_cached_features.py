"""Features of frozen blocks: found, computed from shallower ones, or done without."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

from graft.data.batch import FEATURES, Batch
from graft.data.dataset import Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import Prefix, prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.models.backbone import Backbone, Hidden
from graft.models.load import describe_backbone
from graft.spec.strategy import Strategy

LITE0 = "efficientnet_lite0"
BLOCKS = describe_backbone(LITE0).num_blocks
SHALLOW, DEEP = Prefix(LITE0, 32, 8), Prefix(LITE0, 32, BLOCKS)

Make = Callable[..., SupervisedLearner]


def strategy(cut: int, **changes: Any) -> Strategy:
    raw = {"backbone": LITE0, "freeze": cut / BLOCKS, "resolution": 32, "batch_size": 10, **changes}
    return Strategy.model_validate(raw)


@pytest.fixture
def make(training_data: TrainingData, tmp_path: Path) -> Make:
    """``make(cut, fingerprint="rows", limit_bytes=…)``: a learner with a feature_cache for both prefixes."""

    def build(
        cut: int, fingerprint: str = "rows", limit_bytes: int = 10**9, splits: tuple[Split, ...] = (Split.TRAIN,),
        **changes: Any,
    ) -> SupervisedLearner:  # fmt: skip
        store = FeatureStore(tmp_path / "features", limit_bytes)
        feature_cache = FeatureCache(store, fingerprint, frozenset([SHALLOW, DEEP]))
        return build_learner(replace(training_data, feature_cache=feature_cache), strategy(cut, **changes), splits)

    return build


def test_the_first_computes_and_the_next_finds(make: Make) -> None:
    first, second = make(8), make(8)
    assert first.takes_features
    assert second.takes_features
    assert (first.facts["cache/misses"], first.facts["cache/hits"]) == (2, 0)
    assert (second.facts["cache/misses"], second.facts["cache/hits"]) == (0, 2)
    assert first.facts["cache/built_bytes"] > 0
    assert first.facts["cache/pass_seconds"] > 0
    assert "cache/pass_seconds" not in second.facts


def test_other_data_has_other_features(make: Make) -> None:
    make(8)
    assert make(8, fingerprint="other rows").facts["cache/misses"] == 2


def test_a_deeper_cut_is_computed_from_a_shallower_one(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = make(BLOCKS).given.frozen
    assert wanted is not None
    rows = torch.arange(20).numpy()
    images = wanted.inputs.plain(rows)[FEATURES].clone()

    def never(self: Backbone, batch: Batch, cut: int) -> torch.Tensor:
        raise AssertionError("the images went through the network again")

    fresh = make(8, fingerprint="other")
    assert fresh.takes_features
    monkeypatch.setattr(Backbone, "below", never)
    staged = make(BLOCKS, fingerprint="other").given.frozen
    assert staged is not None
    torch.testing.assert_close(staged.inputs.plain(rows)[FEATURES], images, rtol=1e-4, atol=1e-4)


def test_who_wants_a_deep_cut_leaves_the_shallower_ones_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    below = Backbone.below

    def counted(self: Backbone, batch: Batch, cut: int) -> Hidden:
        seen.append((batch.size, cut))
        return below(self, batch, cut)

    monkeypatch.setattr(Backbone, "below", counted)
    deep = make(BLOCKS)
    assert {cut for _, cut in seen} == {8}, "the images go through the first blocks only, from there on the features do"
    assert deep.facts["cache/misses"] == 4
    assert (make(8).facts["cache/misses"], make(8).facts["cache/hits"]) == (0, 2)


def test_the_final_fit_needs_the_validation_rows_too(make: Make) -> None:
    make(8)
    fit = make(8, splits=(Split.TRAIN, Split.VALIDATION))
    assert fit.facts["cache/hits"] == 2
    assert sum(len(batch.targets) for batch in fit.batches().epoch(0, 1)) == 30


def test_what_is_not_wanted_goes_through_the_whole_network(make: Make) -> None:
    learner = make(12)
    assert not learner.takes_features
    assert learner.note == ""


def test_without_room_it_goes_on_and_says_so(make: Make) -> None:
    learner = make(8, limit_bytes=1000)
    assert not learner.takes_features
    assert learner.note.startswith("frozen blocks are computed anew in every epoch")
    outcome = learner.train(None, validate=True)
    assert outcome.epochs_done == 4


def test_other_weights_under_the_same_name_are_never_a_hit(training_data: TrainingData, tmp_path: Path) -> None:
    """A file of weights is replaced while the process that has read the first ones lives on, as in a notebook."""
    weights, name = tmp_path / "mine.pth", f"local:timm/mobilenetv3_small_050:{tmp_path / 'mine.pth'}"

    def learn(seed: int) -> SupervisedLearner:
        torch.manual_seed(seed)
        torch.save(timm.create_model("mobilenetv3_small_050").state_dict(), weights)
        tuned = strategy(BLOCKS, backbone=name, freeze=1.0)
        prefix = prefix_of(tuned)
        assert prefix is not None
        feature_cache = FeatureCache(FeatureStore(tmp_path / "features", 10**9), "rows", frozenset([prefix]))
        return build_learner(replace(training_data, feature_cache=feature_cache), tuned, (Split.TRAIN,))

    first, second, again = learn(1), learn(2), learn(2)
    assert first.facts["cache/misses"] == second.facts["cache/misses"] == 2
    assert again.facts["cache/hits"] == 2
    stems = [next(one.session.model.parameters()) for one in (first, second, again)]
    assert not torch.equal(stems[0], stems[1])
    assert torch.equal(stems[1], stems[2])
