"""Samples or stored features: whatever a network takes, by the rows of a dataset."""

from pathlib import Path

import numpy as np
import pytest
import torch

from graft.data.augmentation.draws import Draws
from graft.data.batch import FEATURES, concatenated
from graft.data.batches import Batches, Shard
from graft.data.feature_store.features import Features, in_process
from graft.data.feature_store.key import FeatureKey
from graft.data.feature_store.store import FeatureStore
from graft.data.inputs import Part, StoredFeatures, Views
from graft.modalities.image.augment.light import Light
from graft.modalities.image.info import PIXELS
from graft.modalities.image.transforms import ImageInputs
from graft.spec.modalities.image import ImagePreprocessing, LightAugmentation

PLAIN = ImagePreprocessing(stored_size=8, resolution=8, channels=1, mean=(0.5,) * 3, std=(0.5,) * 3)
CPU = torch.device("cpu")


@pytest.fixture
def images() -> ImageInputs:
    stored = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)
    return ImageInputs(stored, PLAIN, CPU)


@pytest.fixture
def views() -> Views:
    return Views(Light(LightAugmentation(share=0.5, views=3), "horizontal"), 3, seed=7)


def stored(root: Path, name: str, rows: np.ndarray, shape: tuple[int, ...] = (2,)) -> Part:
    """Features that say which row of the dataset they belong to."""

    def extract(start: int, stop: int) -> np.ndarray:
        told = rows[start:stop].astype(np.float32).reshape(-1, *[1] * len(shape))
        return np.broadcast_to(told, (stop - start, *shape))

    key = FeatureKey("rows", name, "{}", None, "w", "net", 3)
    features: Features = FeatureStore(root, limit_bytes=10**8).build(key, shape, len(rows), in_process(extract, 4))
    return Part(rows, features)


class TestViews:
    def test_epochs_rotate_through_them(self, views: Views) -> None:
        assert [views.of_epoch(epoch) for epoch in (1, 2, 3, 4)] == [0, 1, 2, 0]

    def test_a_row_is_the_same_in_every_batch(self, images: ImageInputs, views: Views) -> None:
        together = images.view(np.arange(30), views, 1)[PIXELS]
        alone = concatenated([images.view(np.array([row]), views, 1) for row in (29, 3, 17)])
        assert torch.equal(alone[PIXELS], together[[29, 3, 17]])

    def test_views_differ_and_the_share_is_honoured(self, images: ImageInputs, views: Views) -> None:
        rows = np.arange(30)
        plain = images.plain(rows)[PIXELS]
        one, other = (images.view(rows, views, index)[PIXELS] for index in (0, 1))
        changed = [int((view != plain).flatten(1).any(1).sum()) for view in (one, other)]
        assert all(8 <= count <= 22 for count in changed)
        assert not torch.equal(one, other)

    def test_another_seed_has_other_views(self, images: ImageInputs, views: Views) -> None:
        again = Views(views.augmenter, 3, seed=8)
        one, other = (images.view(np.arange(30), some, 0)[PIXELS] for some in (views, again))
        assert not torch.equal(one, other)

    def test_batches_of_an_epoch_hold_its_view(self, images: ImageInputs, views: Views) -> None:
        batches = Batches(images, np.arange(30), np.arange(30), 8)
        for epoch in (1, 2, 4):
            for batch in batches.epoch(0, epoch, views):
                wanted = images.view(batch.targets.numpy(), views, views.of_epoch(epoch))
                assert torch.equal(batch.inputs[PIXELS], wanted[PIXELS])

    def test_processes_share_them(self, images: ImageInputs, views: Views) -> None:
        whole = next(Batches(images, np.arange(30), np.arange(30), 8).epoch(0, 2, views)).inputs
        parts = [
            next(Batches(images, np.arange(30), np.arange(30), 8, Shard(rank, 2)).epoch(0, 2, views)).inputs
            for rank in (0, 1)
        ]
        assert torch.equal(concatenated(parts)[PIXELS], whole[PIXELS])


class TestStoredFeatures:
    def test_each_row_gets_its_own(self, tmp_path: Path) -> None:
        train, held_out = np.array([0, 2, 3, 7, 9]), np.array([1, 4, 8])
        parts = [stored(tmp_path, "train", train), stored(tmp_path, "validation", held_out)]
        features = StoredFeatures({None: parts}, CPU)
        asked = np.array([9, 1, 0, 8, 2, 9])
        assert features.plain(asked)[FEATURES][:, 0].tolist() == asked.tolist()
        assert features.plain(np.array([4]))[FEATURES][:, 0].tolist() == [4.0]

    def test_a_row_without_features_is_an_error(self, tmp_path: Path) -> None:
        features = StoredFeatures({None: [stored(tmp_path, "train", np.array([0, 2, 3]))]}, CPU)
        with pytest.raises(ValueError, match="2 of 3 rows have no stored features"):
            features.plain(np.array([2, 1, 99]))

    def test_maps_have_the_layout_that_blocks_give(self, tmp_path: Path) -> None:
        # also where height and width are 1, and the two layouts differ in their strides only
        part = stored(tmp_path, "train", np.arange(6), (5, 1, 1))
        taken = StoredFeatures({None: [part]}, CPU).plain(np.arange(4))[FEATURES]
        block = torch.nn.Conv2d(3, 5, 8).to(memory_format=torch.channels_last)
        made = block(torch.zeros(4, 3, 8, 8).contiguous(memory_format=torch.channels_last))
        assert taken.shape == made.shape
        assert taken.is_contiguous(memory_format=torch.channels_last)

    def test_views_are_kept_apart(self, tmp_path: Path, views: Views) -> None:
        rows = np.arange(3)
        plain, second = stored(tmp_path, "plain", rows), stored(tmp_path, "second", rows + 100)
        features = StoredFeatures({None: [plain], 1: [Part(rows, second.features)]}, CPU)
        assert features.plain(rows)[FEATURES][:, 0].tolist() == [0, 1, 2]
        assert features.view(rows, views, 1)[FEATURES][:, 0].tolist() == [100, 101, 102]

    def test_nothing_changes_features(self, tmp_path: Path) -> None:
        features = StoredFeatures({None: [stored(tmp_path, "train", np.arange(3))]}, CPU)
        with pytest.raises(ValueError, match="stored features cannot be augmented"):
            features.augmented(Light(LightAugmentation()), Draws.of_epoch(np.arange(3), 0, 1))
