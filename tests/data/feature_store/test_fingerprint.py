import numpy as np
import pytest
import torch
from torch import nn

from graft.data.dataset import open_dataset
from graft.data.feature_store.fingerprint import data_fingerprint, weights_digest
from graft.data.square import StoredForm
from graft.data.store import ImageWriter, Origin, Rows, write_rows


@pytest.fixture
def dataset(tmp_path):
    """A dataset of two-pixel-wide images: `dataset("abc", labels=[0, 1, 0])`."""

    def make(contents, labels, splits):
        directory = tmp_path / f"{contents}-{labels}-{splits}"
        directory.mkdir()
        form, count = StoredForm(8, 1), len(contents)
        with ImageWriter(directory / "images.npy", form) as writer:
            writer.append(np.zeros((count, 8, 8, 1), np.uint8))
        rows = Rows(tuple(contents), np.array(labels), np.array(splits, np.uint8), tuple(contents))
        write_rows(directory, rows, Origin("test", ("x", "y"), form, ()))
        return open_dataset(directory)

    return make


def test_the_order_of_the_rows_counts(dataset):
    one, other = dataset("abc", [0, 1, 0], [0, 0, 0]), dataset("bac", [1, 0, 0], [0, 0, 0])
    assert one.fingerprint == other.fingerprint, "else this test shows nothing"
    assert data_fingerprint(one) != data_fingerprint(other)


def test_the_split_of_a_row_counts(dataset):
    assert data_fingerprint(dataset("ab", [0, 1], [0, 1])) != data_fingerprint(dataset("ab", [0, 1], [1, 0]))


def test_the_same_data_has_the_same_fingerprint(dataset):
    one = dataset("ab", [0, 1], [0, 1])
    assert data_fingerprint(one) == data_fingerprint(open_dataset(one.directory))


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_equal_weights_have_one_digest():
    assert weights_digest([network()]) == weights_digest([network()])
    assert weights_digest(network().state_dict()) == weights_digest([network()])


@pytest.mark.parametrize("name", ["0.weight", "1.bias", "1.running_mean", "1.num_batches_tracked"])
def test_one_changed_number_changes_it(name):
    changed = network()
    changed.state_dict()[name].view(-1)[0] += 1
    assert weights_digest([changed]) != weights_digest([network()])


def test_type_shape_and_place_count():
    ones = {"a": torch.ones(2, 3)}
    different = [
        {"a": torch.ones(3, 2)},
        {"b": torch.ones(2, 3)},
        {"a": torch.ones(2, 3).view(torch.int32)},
        {"a": torch.ones(2, 3, dtype=torch.bfloat16)},
    ]
    assert weights_digest(ones) not in {weights_digest(other) for other in different}
    assert weights_digest([network(), nn.ReLU()]) != weights_digest([nn.ReLU(), network()])


def test_memory_layout_does_not_count():
    weight = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert weights_digest({"a": weight}) == weights_digest({"a": weight.contiguous(memory_format=torch.channels_last)})
    assert weights_digest({"a": torch.tensor(3.0)}) != weights_digest({"a": torch.tensor(4.0)})
