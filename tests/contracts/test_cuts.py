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

from graft.data.columns import ColumnSpec, Ragged
from graft.data.dataset import DatasetArrays, Split
from graft.data.feature_store.store import FeatureStore
from graft.data.listing import Listing
from graft.data.split import UNASSIGNED
from graft.data.targets import RawTargets
from graft.learner.cached_features import FeatureCache
from graft.learner.prefix import prefix_of
from graft.learner.supervised import SupervisedLearner, build_learner
from graft.learner.training_data import TrainingData
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages
from graft.modalities.registry import build_modality
from graft.models.load import backbone_names, check_backbone, describe_backbone
from graft.spec.modalities.image import ImageFolderData
from graft.spec.modalities.table import TableData
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.lookup import metric_named

BUNDLED = [*(name for name in backbone_names() if check_backbone(name) is None), "gru:minilm_l6"]
CUTS = [(name, cut) for name in BUNDLED for cut in range(1, describe_backbone(name).num_blocks + 1)]
SIDE, CLASSES = 32, ("dark", "light")
TRAIN, VALIDATION = 40, 16
LIGHT = {"kind": "light", "share": 0.5, "views": 2}


SIZES = {"image": {"resolution": SIDE}, "text": {"max_tokens": 16}}
SPLITS = np.repeat([0, 1], [TRAIN, VALIDATION]).astype(np.uint8)
LABELS = np.arange(TRAIN + VALIDATION, dtype=np.int64) % 2


def _images() -> TrainingData:
    random = np.random.default_rng(0)
    pixels = 90 + 70 * LABELS[:, None, None, None] + random.normal(0, 60, (len(LABELS), SIDE, SIDE, 3))
    columns, data = {PIXELS: pixels.clip(0, 255).astype(np.uint8)}, ImageFolderData(path=Path("/nowhere"))
    return _data(columns, StoredImages(SIDE).spec(), data)


def _texts() -> TrainingData:
    """Texts of two to thirty tokens, of which sixteen are looked at."""
    random, words = np.random.default_rng(0), (("night", "black", "shade", "coal"), ("day", "white", "sun", "snow"))
    texts = [" ".join(random.choice(words[label], 1 + random.integers(28))) for label in LABELS]
    modality, data = build_modality("text"), TableData(path=Path("/nowhere"), text="text", label="label")
    ids, given = tuple(map(str, range(len(texts)))), np.full(len(texts), UNASSIGNED, np.uint8)
    listing = Listing("texts", ids, RawTargets(LABELS, CLASSES), given, "texts", [text.encode() for text in texts])
    storage = modality.storage(listing, StrategySpace.parse({"backbone": "minilm_l6", "max_tokens": 16}))
    found = modality.decoder(data, listing, storage)(listing.sources).columns
    columns = {spec.name: _column(spec, found[spec.name]) for spec in storage.columns}
    return _data(columns, storage, data)


def _column(spec: ColumnSpec, rows: Any) -> Any:
    return Ragged.of(rows, spec.dtype) if spec.shape is None else rows


def _data(columns: Any, storage: Any, data: Any) -> TrainingData:
    arrays = DatasetArrays(columns, LABELS, SPLITS, CLASSES, {"num_outputs": len(CLASSES)})
    loss = metric_named("loss", "classification")
    return TrainingData(arrays, storage, data, Classification(), loss, 2, None, seed=0, num_threads=1)


@pytest.fixture(scope="module")
def data_for() -> Callable[[str], TrainingData]:
    """``data_for("minilm_l6")``: two classes of what a backbone takes."""
    made = functools.cache(lambda modality: {"image": _images, "text": _texts}[modality]())
    return lambda name: made(describe_backbone(name).modality)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def strategy_at(name: str, cut: int, **changes: Any) -> Strategy:
    info = describe_backbone(name)
    raw = {"backbone": name, "freeze": cut / info.num_blocks, "batch_size": 20, "lr": 1e-3, **changes}
    return Strategy.model_validate({**SIZES[info.modality], **raw})


def learners(
    training_data: TrainingData, strategy: Strategy, root: Path
) -> tuple[SupervisedLearner, SupervisedLearner]:
    """One that goes through the whole network, one that starts at the cut."""
    whole = build_learner(training_data, strategy, (Split.TRAIN,))
    assert not whole.takes_features
    return whole, above_cut(training_data, strategy, root)


def above_cut(training_data: TrainingData, strategy: Strategy, root: Path) -> SupervisedLearner:
    """One that starts at the cut."""
    prefix = prefix_of(strategy)
    assert prefix is not None
    cached = replace(training_data, feature_cache=FeatureCache(FeatureStore(root), "rows", frozenset([prefix])))
    learner = build_learner(cached, strategy, (Split.TRAIN,))
    assert learner.takes_features
    return learner


def gradients(learner: SupervisedLearner, epoch: int) -> dict[str, torch.Tensor]:
    """With the batch norms' running statistics: those of a small batch make a thousandth of the last bits."""
    model = learner.session.model.eval()
    batch = next(iter(learner.batches().epoch(0, epoch, learner.augmenter)))
    functional.cross_entropy(model(batch.inputs), batch.targets).backward()
    return {name: one.grad for name, one in model.named_parameters() if one.grad is not None}


@pytest.fixture(scope="module")
def whole(data_for: Callable[[str], TrainingData]) -> Callable[[str], dict[str, torch.Tensor]]:
    """Gradients of the whole network above its first block. What is frozen below a cut changes none above it."""

    @functools.cache
    def of(name: str) -> dict[str, torch.Tensor]:
        learner = build_learner(data_for(name), strategy_at(name, 1), (Split.TRAIN,))
        assert not learner.takes_features
        return gradients(learner, 1)

    return of


@pytest.mark.parametrize(("name", "cut"), CUTS)
def test_a_step_from_stored_features_is_that_of_the_whole_network(
    data_for: Callable[[str], TrainingData],
    whole: Callable[[str], dict[str, torch.Tensor]],
    tmp_path: Path,
    name: str,
    cut: int,
) -> None:
    learner = above_cut(data_for(name), strategy_at(name, cut), tmp_path)
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
    data_for: Callable[[str], TrainingData], tmp_path: Path, cut: int, epoch: int
) -> None:
    strategy = strategy_at(BUNDLED[0], cut, augment=LIGHT)
    through, above = learners(data_for(BUNDLED[0]), strategy, tmp_path)
    wanted, found = gradients(through, epoch), gradients(above, epoch)
    for key, gradient in wanted.items():
        scale = max(float(gradient.abs().max()), 1e-3)
        torch.testing.assert_close(found[key] / scale, gradient / scale, rtol=0, atol=1e-3, msg=key)


@pytest.mark.parametrize("name", [BUNDLED[0], "minilm_l6"])
def test_a_training_reaches_the_same_weights(
    data_for: Callable[[str], TrainingData], tmp_path: Path, name: str
) -> None:
    num_blocks = describe_backbone(name).num_blocks
    through, above = learners(data_for(name), strategy_at(name, num_blocks), tmp_path)
    wanted, found = (learner.train(None, validate=True) for learner in (through, above))
    assert found.best_epoch == wanted.best_epoch
    assert found.best_metrics == pytest.approx(wanted.best_metrics, rel=1e-4)
    for key, tensor in wanted.best_state.items():
        torch.testing.assert_close(found.best_state[key], tensor, rtol=1e-4, atol=1e-5)


def test_what_was_trained_below_the_cut_is_not_read_from_the_store(
    data_for: Callable[[str], TrainingData], tmp_path: Path
) -> None:
    images = data_for(BUNDLED[0])
    donor = build_learner(images, strategy_at(BUNDLED[0], 4), (Split.TRAIN,))
    donor.train(None, validate=False)
    _, copier = learners(images, strategy_at(BUNDLED[0], 12), tmp_path)
    assert copier.facts.keys() > {"model/trainable_params", "model/trainable_share"}
    copier.load(donor.state())
    assert not copier.takes_features
    assert copier.facts.keys() == {"model/trainable_params", "model/trainable_share"}
    assert next(copier.batches().epoch(0, 1)).inputs.keys() == {PIXELS}
    donor.session.model.eval()
    assert copier.validation() == pytest.approx(donor.validation(), rel=1e-4)
