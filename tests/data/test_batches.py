import warnings

import numpy as np
import pytest
import torch

from graft.core.errors import DataError, SpecError
from graft.data.batch import Batch
from graft.data.batches import BUCKET_BATCHES, WHOLE, Batches, Shard, TrainingBatch
from graft.data.columns import Ragged
from graft.data.dataset import DatasetArrays, Split
from graft.modalities.image.augment.light import Light
from graft.modalities.image.info import PIXELS
from graft.modalities.image.transforms import ImageInputs, image_inputs, preprocess
from graft.spec.modalities.image import ImagePreprocessing, LightAugmentation

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def preprocessing(stored: int = 8, resolution: int = 8, channels: int = 3, interpolation: str = "bicubic"):
    return ImagePreprocessing(
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
    splits, names = np.arange(25, dtype=np.uint8) % 3, ("a", "b", "c", "d")
    arrays = DatasetArrays({PIXELS: images}, np.arange(25) % 4, splits, names)
    for array in (images, arrays.targets, arrays.splits):
        array.setflags(write=False)
    return arrays


def batches_of(
    arrays: DatasetArrays,
    rows: np.ndarray,
    wanted: ImagePreprocessing,
    batch_size: int,
    device: str = "cpu",
    shard: Shard = WHOLE,
) -> Batches:
    inputs = image_inputs(arrays.columns, wanted, torch.device(device))
    return Batches(inputs, arrays.targets, rows, batch_size, shard)


def row_numbers(images: torch.Tensor) -> list[int]:
    return (((images[:, 0, 0, 0] * STD[0]) + MEAN[0]) * 255).round().int().tolist()


def test_evaluation_of_equal_lengths_is_in_the_order_that_was_asked_for(arrays):
    rows = np.array([3, 1, 24, 7, 0])
    found = list(batches_of(arrays, rows, preprocessing(), 2).for_evaluation())
    assert [batch.size for _, batch in found] == [2, 2, 1]
    assert np.concatenate([places for places, _ in found]).tolist() == [0, 1, 2, 3, 4]
    assert row_numbers(torch.cat([batch[PIXELS] for _, batch in found])) == rows.tolist()


def test_an_epoch_has_every_row_once_with_its_label(arrays):
    rows = arrays.rows(Split.TRAIN, Split.TEST)
    batches = list(batches_of(arrays, rows, preprocessing(), 4).epoch(seed=1, epoch=0))
    seen = row_numbers(torch.cat([batch.inputs[PIXELS] for batch in batches]))
    assert sorted(seen) == rows.tolist()
    assert seen != rows.tolist()
    assert torch.cat([batch.targets for batch in batches]).tolist() == [row % 4 for row in seen]


def test_types_are_those_a_network_takes(arrays):
    inputs, targets, total, weights = next(
        batches_of(arrays, np.arange(25), preprocessing(resolution=16), 5).epoch(0, 0)
    )
    images = inputs[PIXELS]
    assert inputs.keys() == {PIXELS}
    assert images.shape == (5, 3, 16, 16)
    assert images.dtype == torch.float32
    assert images.is_contiguous()
    assert targets.dtype == torch.int64
    assert total == 5
    assert weights is None


def test_weights_are_scaled_to_a_mean_of_one_over_the_rows_and_follow_them(arrays):
    rows, weights = np.arange(20), np.arange(25.0)
    batches = batches_of(arrays, rows, preprocessing(), 6).weighted(weights)
    found = list(batches.epoch(1, 0))
    seen = row_numbers(torch.cat([batch.inputs[PIXELS] for batch in found]))
    told = torch.cat([batch.weights for batch in found])
    assert told.dtype == torch.float32
    torch.testing.assert_close(told, torch.tensor([row / 9.5 for row in seen]))
    assert all(batch.weights is None for batch in batches.weighted(None).epoch(1, 0))
    with pytest.raises(DataError, match="the weights of all 1 training samples are 0, but some must count"):
        batches_of(arrays, rows[:1], preprocessing(), 6).weighted(weights)


def test_epochs_differ_and_repeat(arrays):
    batches = batches_of(arrays, np.arange(25), preprocessing(), 5)
    augmenter = Light(LightAugmentation(), "horizontal")

    def epoch(seed: int, number: int) -> torch.Tensor:
        return torch.cat([batch.inputs[PIXELS] for batch in batches.epoch(seed, number, augmenter)])

    assert torch.equal(epoch(1, 3), epoch(1, 3))
    assert not torch.equal(epoch(1, 3), epoch(1, 4))
    assert not torch.equal(epoch(1, 3), epoch(2, 3))


def test_the_order_does_not_depend_on_augmentation(arrays):
    batches = batches_of(arrays, np.arange(25), preprocessing(), 5)
    plain = torch.cat([batch.targets for batch in batches.epoch(1, 0)])
    augmented = torch.cat([batch.targets for batch in batches.epoch(1, 0, Light(LightAugmentation()))])
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
    batches = batches_of(arrays, np.arange(count), preprocessing(), size)
    assert [batch.total for batch in batches.epoch(0, 0)] == sizes
    assert len(batches) == len(sizes)
    assert batches.num_samples == count


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("first", [0, 1, 2])
def test_ranks_share_the_batches_of_one(arrays, size, first):
    """Each gets its contiguous part, with the pictures that one process sees, from any batch on."""
    augmenter = Light(LightAugmentation(share=0.7), "both")

    def epoch(rank: int, of: int, start: int) -> list[TrainingBatch]:
        batches = batches_of(arrays, np.arange(25), preprocessing(), 9, shard=Shard(rank, of))
        return list(batches.epoch(3, 2, augmenter, start))

    whole = epoch(0, 1, 0)[first:]
    assert [batch.total for batch in whole] == [9, 9, 7][first:]
    for batch, *parts in zip(whole, *(epoch(rank, size, first) for rank in range(size)), strict=True):
        sizes = [len(part.targets) for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert {part.total for part in parts} == {batch.total}
        assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)
        assert torch.equal(torch.cat([part.inputs[PIXELS] for part in parts]), batch.inputs[PIXELS])


@pytest.mark.parametrize("size", [2, 4, 25])
def test_a_sample_looks_the_same_in_batches_of_any_size(arrays, size):
    augmenter = Light(LightAugmentation(share=0.7), "both")

    def epoch(batch_size: int) -> torch.Tensor:
        batches = batches_of(arrays, np.arange(25), preprocessing(), batch_size)
        return torch.cat([batch.inputs[PIXELS] for batch in batches.epoch(3, 2, augmenter)])

    assert torch.equal(epoch(size), epoch(9))


@pytest.mark.parametrize(
    ("count", "size", "ranks", "sizes"),
    [(25, 7, 2, [7, 7, 7, 4]), (24, 7, 2, [7, 7, 10]), (25, 7, 3, [7, 7, 11]), (5, 8, 2, [5]), (22, 7, 1, [7, 7, 8])],
)
def test_a_last_batch_too_small_for_the_ranks_is_joined(arrays, count, size, ranks, sizes):
    for rank in range(ranks):
        batches = batches_of(arrays, np.arange(count), preprocessing(), size, shard=Shard(rank, ranks))
        assert [batch.total for batch in batches.epoch(0, 0)] == sizes
        assert len(batches) == len(sizes)


def test_no_image_is_read_for_batches_that_are_left_out(arrays):
    class Counting:
        read = 0

        def __getitem__(self, rows):
            Counting.read += len(rows)
            return arrays.columns[PIXELS][rows]

    inputs = ImageInputs(Counting(), preprocessing(), torch.device("cpu"))
    batches = Batches(inputs, arrays.targets, np.arange(25), 5)
    assert len(list(batches.epoch(0, 0, first=4))) == 1
    assert Counting.read == 5
    assert list(batches.epoch(0, 0, first=5)) == []


@pytest.mark.parametrize("count", [0, 1, 2, 3, 25])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_parts_of_an_evaluation_are_all_rows_in_order(arrays, count, size):
    seen = []
    for rank in range(size):
        part = batches_of(arrays, np.arange(count), preprocessing(), 4, shard=Shard(rank, size))
        assert part.num_samples == count
        seen += [row for _, batch in part.for_evaluation() for row in row_numbers(batch[PIXELS])]
    assert seen == list(range(count))


@pytest.mark.parametrize(
    ("count", "size", "error", "told"),
    [
        (25, 5, SpecError, "strategy.batch_size: is 5, but must be >= 6: each of 3 workers needs 2 samples"),
        (5, 8, DataError, "there are 5 training samples, but each of 3 workers needs 2"),
    ],
)
def test_too_little_for_the_ranks_is_refused(arrays, count, size, error, told):
    batches = batches_of(arrays, np.arange(count), preprocessing(), size, shard=Shard(0, 3))
    with pytest.raises(error, match=told):
        len(batches)


def test_shared_read_only_arrays_neither_change_nor_warn(arrays):
    images = arrays.columns[PIXELS]
    before = images.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for batch in batches_of(arrays, np.arange(25), preprocessing(), 5).epoch(0, 0):
            batch.inputs[PIXELS].zero_()
        preprocess(images, preprocessing()).zero_()
    np.testing.assert_array_equal(images, before)


@pytest.mark.gpu
def test_a_gpu_gives_the_same_batches(arrays):
    rows, wanted, augmenter = np.arange(25), preprocessing(8, 16), Light(LightAugmentation(), "both")
    on_cpu = list(batches_of(arrays, rows, wanted, 8).epoch(0, 1, augmenter))
    on_gpu = list(batches_of(arrays, rows, wanted, 8, "cuda").epoch(0, 1, augmenter))
    for batch, gpu_batch in zip(on_cpu, on_gpu, strict=True):
        assert gpu_batch.inputs.device.type == "cuda"
        assert torch.equal(batch.targets, gpu_batch.targets.cpu())
        torch.testing.assert_close(batch.inputs[PIXELS], gpu_batch.inputs[PIXELS].cpu(), atol=1e-3, rtol=0)


class Lengths:
    """Samples of several lengths; a batch tells which rows it holds."""

    fixed = None

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = lengths

    def plain(self, rows: np.ndarray) -> Batch:
        return Batch({"row": torch.from_numpy(rows)})


COUNT, SIZE = 2 * BUCKET_BATCHES * 8 + 21, 8


@pytest.fixture
def sized() -> Lengths:
    random = Ragged.of([np.zeros(n) for n in np.random.default_rng(0).integers(1, 400, COUNT)], "uint8")
    return Lengths(random.lengths)


def rows_of_epoch(inputs: Lengths, seed: int = 1, epoch: int = 1, shard: Shard = WHOLE) -> list[list[int]]:
    batches = Batches(inputs, np.arange(COUNT), np.arange(COUNT), SIZE, shard).epoch(seed, epoch)
    return [batch.inputs["row"].tolist() for batch in batches]


def test_rows_of_several_lengths_come_once_each_and_the_same_again(sized):
    epoch = rows_of_epoch(sized)
    assert sorted(row for batch in epoch for row in batch) == list(range(COUNT))
    assert [len(batch) for batch in epoch] == [SIZE] * (COUNT // SIZE) + [COUNT % SIZE]
    assert rows_of_epoch(sized) == epoch
    assert rows_of_epoch(sized, seed=2) != epoch
    assert rows_of_epoch(sized, epoch=2) != epoch


def padding(inputs: Lengths, epoch: list[list[int]]) -> float:
    """Share of an epoch's positions that only fill up."""
    places = sum(len(batch) * inputs.lengths[batch].max() for batch in epoch)
    return 1 - inputs.lengths.sum() / places


def test_a_batch_holds_rows_of_like_length(sized):
    epoch = rows_of_epoch(sized)
    alike = Lengths(sized.lengths)
    alike.lengths = None
    at_random = padding(sized, rows_of_epoch(alike))
    assert at_random > 0.3, "else this test shows nothing"
    assert padding(sized, epoch) < 0.1


def test_batches_of_like_length_are_not_in_the_order_of_their_lengths(sized):
    means = [sized.lengths[batch].mean() for batch in rows_of_epoch(sized)][:BUCKET_BATCHES]
    assert abs(np.corrcoef(means, np.arange(BUCKET_BATCHES))[0, 1]) < 0.5


def test_buckets_of_another_epoch_hold_other_rows(sized):
    one, other = ({frozenset(batch) for batch in rows_of_epoch(sized, epoch=epoch)} for epoch in (1, 2))
    assert len(one & other) < len(one) / 10


def test_two_processes_share_the_buckets_of_one(sized):
    whole = rows_of_epoch(sized)
    first, second = (rows_of_epoch(sized, shard=Shard(rank, 2)) for rank in (0, 1))
    assert [a + b for a, b in zip(first, second, strict=True)] == whole
    assert all(abs(len(a) - len(b)) <= 1 for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 17])
def test_a_few_rows_of_several_lengths_are_all_there(count):
    inputs = Lengths(np.arange(count)[::-1].copy())
    batches = Batches(inputs, np.arange(count), np.arange(count), SIZE)
    seen = [row for batch in batches.epoch(0, 1) for row in batch.inputs["row"].tolist()]
    assert sorted(seen) == list(range(count))


def test_evaluation_is_of_like_lengths_and_tells_the_places(sized):
    rows = np.array([5, 3, 800, 1, 0])
    found = list(Batches(sized, np.arange(COUNT), rows, 2).for_evaluation())
    seen = np.array([row for _, batch in found for row in batch["row"].tolist()])
    places = np.concatenate([some for some, _ in found])
    assert rows[places].tolist() == seen.tolist()
    assert sorted(places) == [0, 1, 2, 3, 4]
    lengths = sized.lengths[seen]
    assert (np.diff(lengths) <= 0).all()
