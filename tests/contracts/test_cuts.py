"""Training from stored features is training through the whole network: every bundled backbone, at every cut.

What lies below the cut computes in batches of another size here and there, so the last bits may differ, and training
amplifies them from step to step. One step is compared closely, a whole training by what it reaches.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from graft.data.dataset import DatasetArrays, Split
from graft.data.feature_store.store import FeatureStore
from graft.data.square import StoredForm
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import prefix_of
from graft.learner.supervised import Learner, TrainingData, build_learner
from graft.models.load import backbone_names, check_backbone, describe_backbone
from graft.spec.metrics import METRICS
from graft.spec.strategy import Strategy

BUNDLED = [name for name in backbone_names() if check_backbone(name) is None]
CUTS = [(name, cut) for name in BUNDLED for cut in range(1, describe_backbone(name).num_blocks + 1)]
SIDE, CLASSES = 32, ("dark", "light")
TRAIN, VALIDATION = 40, 16
LIGHT = {"kind": "light", "share": 0.5, "views": 2}


@pytest.fixture(scope="module")
def training_data() -> TrainingData:
    count = TRAIN + VALIDATION
    random, labels = np.random.default_rng(0), np.arange(count) % 2
    pixels = 90 + 70 * labels[:, None, None, None] + random.normal(0, 60, (count, SIDE, SIDE, 3))
    splits = np.repeat([0, 1], [TRAIN, VALIDATION]).astype(np.uint8)
    arrays = DatasetArrays(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), splits, CLASSES)
    return TrainingData(arrays, StoredForm(SIDE), "horizontal", METRICS["loss"], 2, None, seed=0, num_threads=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def strategy_at(name: str, cut: int, **changes: Any) -> Strategy:
    share = cut / describe_backbone(name).num_blocks
    raw = {"backbone": name, "freeze": share, "resolution": SIDE, "batch_size": 20, "lr": 1e-3, **changes}
    return Strategy.model_validate(raw)


def learners(training_data: TrainingData, strategy: Strategy, root: Path) -> tuple[Learner, Learner]:
    """One that goes through the whole network, one that starts at the cut."""
    whole = build_learner(training_data, strategy, (Split.TRAIN,))
    assert not whole.takes_features
    return whole, above_cut(training_data, strategy, root)


def above_cut(training_data: TrainingData, strategy: Strategy, root: Path) -> Learner:
    """One that starts at the cut."""
    prefix = prefix_of(strategy, describe_backbone(strategy.backbone).num_blocks)
    assert prefix is not None
    cached = replace(training_data, feature_cache=FeatureCache(FeatureStore(root), "rows", frozenset([prefix])))
    learner = build_learner(cached, strategy, (Split.TRAIN,))
    assert learner.takes_features
    return learner


def gradients(learner: Learner, epoch: int) -> dict[str, torch.Tensor]:
    """With the batch norms' running statistics: those of a small batch make a thousandth of the last bits."""
    model = learner.session.model.eval()
    batch = next(iter(learner.batches().epoch(0, epoch, learner.augmenter)))
    functional.cross_entropy(model(batch.inputs), batch.labels).backward()
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


@pytest.fixture(scope="module")
def whole(training_data: TrainingData) -> Callable[[str], dict[str, torch.Tensor]]:
    """Gradients of the whole network above its first block. What is frozen below a cut changes none above it."""

    @functools.cache
    def of(name: str) -> dict[str, torch.Tensor]:
        learner = build_learner(training_data, strategy_at(name, 1), (Split.TRAIN,))
        assert not learner.takes_features
        return gradients(learner, 1)

    return of


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_a_step_from_stored_features_is_that_of_the_whole_network(
    training_data: TrainingData, whole: Callable[[str], dict[str, torch.Tensor]], tmp_path: Path, name: str, cut: int
) -> None:
    learner = above_cut(training_data, strategy_at(name, cut), tmp_path)
    trained = {key for key, one in learner.session.model.named_parameters() if one.requires_grad}
    found = gradients(learner, 1)
    assert found.keys() == trained
    for key, gradient in found.items():
        wanted = whole(name)[key]
        scale = max(float(wanted.abs().max()), 1e-3)
        torch.testing.assert_close(gradient / scale, wanted / scale, rtol=0, atol=1e-3, msg=key)


@pytest.mark.parametrize("cut", [4, describe_backbone(BUNDLED[0]).num_blocks])
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_epochs_rotate_through_the_stored_views(
    training_data: TrainingData, tmp_path: Path, cut: int, epoch: int
) -> None:
    strategy = strategy_at(BUNDLED[0], cut, augment=LIGHT)
    through, above = learners(training_data, strategy, tmp_path)
    wanted, found = gradients(through, epoch), gradients(above, epoch)
    for key, gradient in wanted.items():
        scale = max(float(gradient.abs().max()), 1e-3)
        torch.testing.assert_close(found[key] / scale, gradient / scale, rtol=0, atol=1e-3, msg=key)


def test_a_training_reaches_the_same_weights(training_data: TrainingData, tmp_path: Path) -> None:
    num_blocks = describe_backbone(BUNDLED[0]).num_blocks
    through, above = learners(training_data, strategy_at(BUNDLED[0], num_blocks), tmp_path)
    wanted, found = (learner.train(None, validate=True) for learner in (through, above))
    assert found.best_epoch == wanted.best_epoch
    assert found.best_metrics == pytest.approx(wanted.best_metrics, rel=1e-4)
    for key, tensor in wanted.best_state.items():
        torch.testing.assert_close(found.best_state[key], tensor, rtol=1e-4, atol=1e-5)


def test_what_was_trained_below_the_cut_is_not_read_from_the_store(training_data: TrainingData, tmp_path: Path) -> None:
    donor = build_learner(training_data, strategy_at(BUNDLED[0], 4), (Split.TRAIN,))
    donor.train(None, validate=False)
    _, copier = learners(training_data, strategy_at(BUNDLED[0], 12), tmp_path)
    copier.session.load(donor.session.state())
    assert not copier.takes_features
    assert copier.cache_metrics == {}
    copier.batches()
    assert not copier.session.model.takes_features
