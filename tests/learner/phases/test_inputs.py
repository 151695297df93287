"""A head that trains alone reads the store, and reaches what it would reach through the whole network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graft.data.batch import FEATURES, RESTING
from graft.data.dataset import Split
from graft.data.feature_store.store import FeatureStore
from graft.learner.cached_features import FeatureCache
from graft.learner.cross_validation.folds import Fold
from graft.learner.phases.head_phase import head_prefix_of
from graft.learner.prefix import prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.models.backbone import Backbone
from graft.spec.strategy import Strategy
from graft.training.plan import PartialEpoch

LP_FT = {"unfreeze": {"kind": "head_first", "share": 0.5, "warmup": 0.2}}
KINDS: dict[str, dict[str, Any]] = {
    "lp-ft": {},
    "above frozen blocks": {"freeze": 0.5},
    # Steps of AdamW have the size of the rate even where a gradient is nothing but the last bits.
    "below redrawn blocks": {"init": {"kind": "reinitialise", "blocks": 2}, "optimizer": "sgd", "lr": 0.01},
    "views": {"augment": {"kind": "light", "views": 2}},
    "lora": {"tune": {"kind": "lora", "rank": 2}, "penalty": "l2_sp"},
    "averaged, clipped, sharpness-aware": {"ema": 0.9, "clip_norm": 1.0, "sam": 0.05},
    "gradual": {"unfreeze": {"kind": "gradual", "groups": 2, "until": 0.9}},
    "chance": {"drop_path": 0.3, "head": {"kind": "mlp", "dropout": 0.2, "width": 8}},
}

Make = Callable[..., SupervisedLearner]


@pytest.fixture
def make(training_data: TrainingData, tmp_path: Path) -> Make:
    """``make(stored, folds=(), **changes)``: a learner that finds all it could read in the store, or nothing."""

    def build(stored: bool, folds: tuple[Fold, ...] = (), **changes: Any) -> SupervisedLearner:
        raw = {"backbone": "efficientnet_lite0", "resolution": 32, "batch_size": 10, "lr": 1e-3, **LP_FT, **changes}
        strategy = Strategy.model_validate(raw)
        wanted = frozenset(one for one in (prefix_of(strategy), head_prefix_of(strategy)) if one)
        cache = FeatureCache(FeatureStore(tmp_path / "features", 10**9), "rows", wanted if stored else frozenset())
        return build_learner(replace(training_data, feature_cache=cache, folds=folds), strategy, (Split.TRAIN,))

    return build


@contextmanager
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Counts batches of samples that enter the backbone."""
    seen: list[int] = []
    begin = Backbone.begin

    def counted(self: Backbone, batch: Any) -> Any:
        seen.append(1)
        return begin(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Backbone, "begin", counted)
        yield seen


def until(learner: SupervisedLearner, epoch: int) -> None:
    learner.train(lambda result: result.epoch < epoch, validate=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_reaches_the_same_weights(make: Make, kind: str) -> None:
    through, above = make(False, **KINDS[kind]), make(True, **KINDS[kind])
    assert above.given.head is not None
    assert next(above.batches(1).epoch(0, 1, above.augmenter)).inputs.keys() == {RESTING}
    until(through, 2)
    until(above, 2)
    assert above.session.best_metrics == pytest.approx(through.session.best_metrics, rel=1e-3)
    wanted = through.session.model.network.state_dict()
    for name, tensor in above.session.model.network.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-3, atol=1e-4, msg=name)


def test_no_sample_enters_the_backbone_while_the_head_trains_alone(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make(True)
    learner = make(True)
    with passes(monkeypatch) as seen:
        until(learner, 2)
    assert seen == []
    with passes(monkeypatch) as seen:
        until(learner, 3)
    assert len(seen) == 3, "two batches of training, one of validation"


def test_above_frozen_blocks_their_features_are_read_afterwards(make: Make) -> None:
    learner = make(True, freeze=0.5)
    found = [next(learner.batches(epoch).epoch(0, epoch)).inputs.keys() for epoch in (1, 2, 3, 4)]
    assert found == [{RESTING}, {RESTING}, {FEATURES}, {FEATURES}]


@pytest.mark.parametrize("at", [1, 3])
def test_a_training_that_is_resumed_ends_at_the_same_bits(make: Make, at: int) -> None:
    whole, first, second = make(True), make(True), make(True)
    until(whole, 4)
    until(first, at)
    second.load(first.state())
    assert second.session.model.rests_as_pretrained == (at < 3)
    until(second, 4)
    wanted = whole.session.model.changing_state()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in second.session.model.changing_state().items())


def test_weights_of_another_trial_are_not_read_from_the_store(make: Make) -> None:
    donor, copier = make(False, unfreeze="none"), make(True)
    until(donor, 1)
    copier.load(donor.state())
    assert next(copier.batches(2).epoch(0, 2)).inputs.keys() != {RESTING}
    assert copier.validation() == pytest.approx(donor.validation(), rel=1e-4)
    assert "cache/hits" not in copier.facts


def test_a_head_that_trained_alone_gives_its_weights_to_one_that_reads_the_store(make: Make) -> None:
    donor, copier = make(False), make(True)
    until(donor, 1)
    copier.load(donor.state())
    assert next(copier.batches(2).epoch(0, 2)).inputs.keys() == {RESTING}
    assert copier.validation() == pytest.approx(donor.validation(), rel=1e-4)


def test_a_solved_start_alone_costs_no_pass(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"unfreeze": "none", "head_start": "closed_form", "augment": "light"}
    wanted = make(False, **changes).session.model.network.head[1].weight
    make(True, **changes)
    with passes(monkeypatch) as seen:
        learner = make(True, **changes)
    assert seen == []
    torch.testing.assert_close(learner.session.model.network.head[1].weight, wanted, rtol=1e-3, atol=1e-4)
    assert next(learner.batches(1).epoch(0, 1, learner.augmenter)).inputs.keys() != {RESTING}


def test_folds_read_the_store_too(make: Make, training_data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = training_data.arrays.rows(Split.TRAIN, Split.VALIDATION)
    half = np.random.default_rng(0).permutation(rows)
    folds = tuple(Fold(np.sort(a), np.sort(b)) for a, b in ((half[:14], half[14:]), (half[14:], half[:14])))
    through, above = make(False, folds), make(True, folds)
    with passes(monkeypatch) as seen:
        until(above, 2)
    assert seen == []
    until(through, 2)
    until(above, 3)
    until(through, 3)
    assert above.session.best_metrics == pytest.approx(through.session.best_metrics, rel=1e-2)


def test_a_training_that_becomes_shorter_leaves_the_store_earlier(make: Make) -> None:
    learner = make(True)
    until(learner, 1)
    assert next(learner.batches(2).epoch(0, 2, None)).inputs.keys() == {RESTING}
    assert learner.plan_epochs(2) == 2
    assert not {RESTING} & next(learner.batches(2).epoch(0, 2, None)).inputs.keys()
    learner.train(None, validate=True)
    assert (learner.epochs_done, learner.session.model.rests_as_pretrained) == (2, False)


def test_it_does_not_in_the_middle_of_an_epoch_on_it(make: Make) -> None:
    above = make(True)
    above.session.partial = PartialEpoch(1, 10, 1.0)
    assert above.plan_epochs(1) == 4
    assert above.session.plan.epochs == 4
    through = make(False)
    through.session.partial = PartialEpoch(1, 10, 1.0)
    assert through.plan_epochs(1) == 1
