import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from graft.core.errors import DataError, SpecError
from graft.data.augment import Augmenter
from graft.data.batches import Batches, Shard, TrainingBatch
from graft.data.dataset import DatasetArrays, Split
from graft.data.inputs import normalise
from graft.spec.preprocessing import Preprocessing
from graft.spec.strategy import LightAugmentation

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def preprocessing(stored: int = 8, resolution: int = 8, channels: int = 3, interpolation: str = "bicubic"):
    return Preprocessing(
        stored_size=stored,
        resolution=resolution,
        channels=channels,
        interpolation=interpolation,
        mean=MEAN,
        std=STD,
    )


@pytest.fixture
def arrays(noise) -> DatasetArrays:
    """Twenty-five images whose first pixel tells their row; read-only, as Ray hands them out."""
    images = noise(25, 8, 8, 3)
    images[:, 0, 0, 0] = np.arange(25)
    arrays = DatasetArrays(images, np.arange(25) % 4, np.arange(25, dtype=np.uint8) % 3, ("a", "b", "c", "d"))
    for array in (arrays.images, arrays.labels, arrays.splits):
        array.setflags(write=False)
    return arrays


def row_numbers(images: torch.Tensor) -> list[int]:
    return (((images[:, 0, 0, 0] * STD[0]) + MEAN[0]) * 255).round().int().tolist()


def test_in_order_gives_the_rows_as_they_were_asked_for(arrays):
    rows = np.array([3, 1, 24, 7, 0])
    batches = list(Batches.of_images(arrays, rows, preprocessing(), 2).in_order())
    assert [len(labels) for _, labels in batches] == [2, 2, 1]
    assert row_numbers(torch.cat([images for images, _ in batches])) == rows.tolist()
    assert torch.cat([labels for _, labels in batches]).tolist() == (rows % 4).tolist()


def test_an_epoch_has_every_row_once_with_its_label(arrays):
    rows = arrays.rows(Split.TRAIN, Split.TEST)
    batches = list(Batches.of_images(arrays, rows, preprocessing(), 4).epoch(seed=1, epoch=0))
    seen = row_numbers(torch.cat([batch.inputs for batch in batches]))
    assert sorted(seen) == rows.tolist()
    assert seen != rows.tolist()
    assert torch.cat([batch.labels for batch in batches]).tolist() == [row % 4 for row in seen]


def test_types_are_those_a_network_takes(arrays):
    images, labels, total = next(Batches.of_images(arrays, np.arange(25), preprocessing(resolution=16), 5).epoch(0, 0))
    assert images.shape == (5, 3, 16, 16)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert labels.dtype == torch.int64
    assert total == 5


def test_epochs_differ_and_repeat(arrays):
    batches = Batches.of_images(arrays, np.arange(25), preprocessing(), 5)
    augmenter = Augmenter(LightAugmentation(), "horizontal")

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([batch.inputs for batch in batches.epoch(seed, number, augmenter)])

    assert torch.equal(epoch(1, 3), epoch(1, 3))
    assert not torch.equal(epoch(1, 3), epoch(1, 4))
    assert not torch.equal(epoch(1, 3), epoch(2, 3))


def test_the_order_does_not_depend_on_augmentation(arrays):
    batches = Batches.of_images(arrays, np.arange(25), preprocessing(), 5)
    plain = torch.cat([batch.labels for batch in batches.epoch(1, 0)])
    augmented = torch.cat([batch.labels for batch in batches.epoch(1, 0, Augmenter(LightAugmentation()))])
    assert torch.equal(plain, augmented)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (25, 8, [8, 8, 9]),
        (24, 8, [8, 8, 8]),
        (23, 8, [8, 8, 7]),
        (10, 8, [8, 2]),
        (9, 8, [9]),
        (8, 8, [8]),
        (5, 8, [5]),
        (1, 8, [1]),
        (3, 2, [3]),
        (0, 8, []),
    ],
)
def test_no_batch_of_one_where_batch_norm_would_fail(arrays, count, size, sizes):
    batches = Batches.of_images(arrays, np.arange(count), preprocessing(), size)
    assert [batch.total for batch in batches.epoch(0, 0)] == sizes
    assert len(batches) == len(sizes)
    assert batches.num_samples == count


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_ranks_share_the_batches_of_one(arrays, size, first):
    """Each gets its contiguous part, with the pictures that one process sees, from any batch on."""
    augmenter = Augmenter(LightAugmentation(share=0.7), "both")

    def epoch(rank: int, of: int, start: int) -> list[TrainingBatch]:
        batches = Batches.of_images(arrays, np.arange(25), preprocessing(), 9, shard=Shard(rank, of))
        return list(batches.epoch(3, 2, augmenter, start))

    whole = epoch(0, 1, 0)[first:]
    assert [batch.total for batch in whole] == [9, 9, 7][first:]
    for batch, *parts in zip(whole, *(epoch(rank, size, first) for rank in range(size)), strict=True):
        sizes = [len(part.labels) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert {part.total for part in parts} == {batch.total}
        assert torch.equal(torch.cat([part.labels for part in parts]), batch.labels)
        torch.testing.assert_close(torch.cat([part.inputs for part in parts]), batch.inputs)


@pytest.mark.parametrize(
    ("count", "size", "ranks", "sizes"),
    [(25, 7, 2, [7, 7, 7, 4]), (24, 7, 2, [7, 7, 10]), (25, 7, 3, [7, 7, 11]), (5, 8, 2, [5]), (22, 7, 1, [7, 7, 8])],
)
def test_a_last_batch_too_small_for_the_ranks_is_joined(arrays, count, size, ranks, sizes):
    for rank in range(ranks):
        batches = Batches.of_images(arrays, np.arange(count), preprocessing(), size, shard=Shard(rank, ranks))
        assert [batch.total for batch in batches.epoch(0, 0)] == sizes
        assert len(batches) == len(sizes)


def test_no_image_is_read_for_batches_that_are_left_out(arrays):
    class Counting:
        read = 0

        def __getitem__(self, rows):
            Counting.read += len(rows)
            return arrays.images[rows]

    batches = Batches.of_images(replace(arrays, images=Counting()), np.arange(25), preprocessing(), 5)
    assert len(list(batches.epoch(0, 0, first=4))) == 1
    assert Counting.read == 5
    assert list(batches.epoch(0, 0, first=5)) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 25])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_parts_of_an_evaluation_are_all_rows_in_order(arrays, count, size):
    seen = []
    for rank in range(size):
        part = Batches.of_images(arrays, np.arange(count), preprocessing(), 4, shard=Shard(rank, size))
        assert part.num_samples == count
        seen += [row for images, _ in part.in_order() for row in row_numbers(images)]
    assert seen == list(range(count))


@pytest.mark.parametrize(
    ("count", "size", "error", "told"),
    [
        (25, 5, SpecError, "strategy.batch_size: is 5, but must be >= 6: each of 3 workers needs 2 samples"),
        (5, 8, DataError, "there are 5 training samples, but each of 3 workers needs 2"),
    ],
)
def test_too_little_for_the_ranks_is_refused(arrays, count, size, error, told):
    batches = Batches.of_images(arrays, np.arange(count), preprocessing(), size, shard=Shard(0, 3))
    with pytest.raises(error, match=told):
        len(batches)


def test_shared_read_only_arrays_neither_change_nor_warn(arrays):
    before = arrays.images.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for batch in Batches.of_images(arrays, np.arange(25), preprocessing(), 5).epoch(0, 0):
            batch.inputs.zero_()
        normalise(arrays.images, preprocessing()).zero_()
    np.testing.assert_array_equal(arrays.images, before)


def test_normalising_is_scaling_by_mean_and_std(noise):
    images = noise(2, 8, 8, 3)
    expected = (images / 255 - MEAN) / STD
    np.testing.assert_allclose(normalise(images, preprocessing()).permute(0, 2, 3, 1), expected, atol=1e-5)


def test_grey_is_repeated_for_each_channel(noise):
    grey = noise(2, 8, 8, 1)
    repeated = normalise(np.repeat(grey, 3, axis=3), preprocessing())
    assert torch.equal(normalise(grey, preprocessing(channels=1)), repeated)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("stored", "resolution"), [(32, 12), (12, 32)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resizing_is_that_of_pil(interpolation, stored, resolution, channels, noise):
    # Middling values: PIL clips between its two passes, which only noise from black to white would show.
    images = noise(1, stored, stored, channels) // 4 + 96
    wanted = preprocessing(stored, resolution, channels, interpolation)
    result = normalise(images, wanted)[0].permute(1, 2, 0).numpy() * STD + MEAN
    picture = Image.fromarray(images[0] if channels == 3 else images[0, :, :, 0])
    resized = picture.resize((resolution, resolution), Image.Resampling[interpolation.upper()]).convert("RGB")
    assert np.abs(result * 255 - np.asarray(resized)).max() < 1.5


def test_resizing_stays_between_black_and_white():
    edge = np.zeros((1, 16, 16, 1), dtype=np.uint8)
    edge[:, :, 8:] = 255
    result = normalise(edge, preprocessing(16, 40, 1))[0].permute(1, 2, 0).numpy() * STD + MEAN
    assert result.min() > -1e-5
    assert result.max() < 1 + 1e-5


@pytest.mark.gpu
def test_a_gpu_gives_the_same_batches(arrays):
    rows, wanted, augmenter = np.arange(25), preprocessing(8, 16), Augmenter(LightAugmentation(), "both")
    on_cpu = list(Batches.of_images(arrays, rows, wanted, 8).epoch(0, 1, augmenter))
    on_gpu = list(Batches.of_images(arrays, rows, wanted, 8, "cuda").epoch(0, 1, augmenter))
    for (images, labels, _), (gpu_images, gpu_labels, _) in zip(on_cpu, on_gpu, strict=True):
        assert gpu_images.device.type == "cuda"
        assert torch.equal(labels, gpu_labels.cpu())
        torch.testing.assert_close(images, gpu_images.cpu(), atol=1e-3, rtol=0)
