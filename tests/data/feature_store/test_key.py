import json
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import nn

from graft.data.dataset import open_dataset
from graft.data.feature_store.key import FORMAT, FeatureKey, View, data_fingerprint, weights_digest
from graft.data.store import Origin, Rows, column_writers, write_rows
from graft.modalities.image.info import PIXELS
from graft.modalities.image.storage import StoredImages

OTHER = {
    "data_fingerprint": "e", "split": "test", "preprocessing": "[]", "view": View(0, "flip", 0),
    "weights_digest": "v", "backbone": "other", "cut": 4, "dtype": "float16", "pool": "gem",
}  # fmt: skip


def test_every_field_makes_another_directory(make_key):
    assert set(OTHER) == {field.name for field in fields(FeatureKey)}
    digests = {make_key(**{name: value}).digest() for name, value in OTHER.items()}
    assert len(digests | {make_key().digest()}) == len(OTHER) + 1


@pytest.mark.parametrize("change", [{"index": 1}, {"policy": "crop"}, {"seed": 1}])
def test_every_part_of_a_view_makes_another_directory(make_key, change):
    view = {"index": 0, "policy": "flip", "seed": 0}
    assert make_key(view=View(**view)).digest() != make_key(view=View(**{**view, **change})).digest()


def test_equal_keys_have_one_digest_in_hex(make_key):
    assert make_key().digest() == make_key().digest()
    assert len(make_key().digest()) == 64
    assert json.loads(make_key().canonical())["format"] == FORMAT


@pytest.mark.parametrize("view", [None, View(2, "flip", 7)])
def test_a_key_survives_json(make_key, view):
    key = make_key(view=view, dtype="bfloat16")
    assert FeatureKey.from_json(json.loads(json.dumps(key.to_json()))) == key


@pytest.mark.parametrize(("field", "value"), [("cut", -1), ("dtype", "float64")])
def test_what_cannot_be_is_refused(make_key, field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}, but must be"):
        make_key(**{field: value})


def test_views_are_counted_from_zero():
    with pytest.raises(ValueError, match="view is -1, but must be >= 0"):
        View(-1, "flip", 0)


@pytest.fixture
def dataset(tmp_path):
    """A dataset of two-pixel-wide images: `dataset("abc", labels=[0, 1, 0])`."""

    def make(contents, labels, splits):
        directory = tmp_path / f"{contents}-{labels}-{splits}"
        directory.mkdir()
        storage, count = StoredImages(8, 1).spec(), len(contents)
        with column_writers(directory, storage) as writers:
            writers[PIXELS].append(np.zeros((count, 8, 8, 1), np.uint8))
        rows = Rows(tuple(contents), np.array(labels), np.array(splits, np.uint8), tuple(contents))
        write_rows(directory, rows, Origin("test", ("x", "y"), storage))
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
