import numpy as np
import pytest
import torch

from graft.data.feature_store.features import in_process

ROWS, SHAPE = 50, (3, 4)


@pytest.fixture
def features(store, key, produce):
    with store.build(key, SHAPE, ROWS, produce) as features:
        yield features


@pytest.fixture
def wanted(produce):
    return np.concatenate(list(produce(0, ROWS)))


@pytest.fixture(params=["float32", "float16", "bfloat16"])
def typed(request, store, make_key, produce):
    with store.build(make_key(dtype=request.param), SHAPE, ROWS, produce) as features:
        yield features


def test_facts(features):
    assert (len(features), features.shape, features.dtype) == (ROWS, SHAPE, "float32")
    assert len(features.manifest.shards) == 5, "else the tests of this file show little"


@pytest.mark.parametrize(
    "rows",
    [slice(None), slice(12, 17), slice(8, 12), slice(40, None), slice(0, 0), slice(9, 3), slice(1, 40, 13)],
    ids=str,
)
def test_slices(features, wanted, rows):
    np.testing.assert_array_equal(features.rows(rows), wanted[rows])
    assert features.rows(rows).shape[1:] == SHAPE


@pytest.mark.parametrize(
    "rows", [[3], [0, 49], [10, 9, 10], [-1, -50, 5], [], np.array([7, 33], np.uint8), np.arange(50)[::-1]], ids=str
)
def test_random_rows(features, wanted, rows):
    np.testing.assert_array_equal(features.rows(rows), wanted[np.asarray(rows, int)])


def test_a_slice_of_one_shard_is_a_view_of_the_file(features):
    one, other = features.rows(slice(12, 17)), features.rows(slice(14, 20))
    assert np.shares_memory(one, other)
    assert not one.flags.writeable


def test_random_rows_belong_to_the_caller(features, wanted):
    features.rows([1, 12])[:] = 0
    np.testing.assert_array_equal(features.rows([1, 12]), wanted[[1, 12]])


@pytest.mark.parametrize("rows", [[50], [-51], [0, 10**12]])
def test_rows_out_of_range(features, rows):
    with pytest.raises(IndexError, match="are asked for, but there are 50"):
        features.rows(rows)


@pytest.mark.parametrize("rows", [[0.5], [[1]], np.ones(50, bool)])
def test_what_is_no_row_number(features, rows):
    with pytest.raises(IndexError, match="must be whole numbers in one dimension"):
        features.rows(rows)


def test_each_type_comes_back_as_torch_rounds_it(typed, wanted):
    rows = [0, 49, 10, 31]
    expected = torch.from_numpy(wanted[rows]).to(getattr(torch, typed.dtype))
    assert torch.equal(typed.tensor(rows), expected)
    assert typed.tensor(slice(8, 12)).dtype == expected.dtype
    np.testing.assert_array_equal(typed.rows(rows), expected.float().numpy())
    assert (
        typed.rows(rows).dtype
        == typed.rows(slice(0, 3)).dtype
        == (np.float16 if typed.dtype == "float16" else np.float32)
    )


def test_pieces_are_all_rows_in_order(typed, wanted):
    starts, arrays = zip(*typed.pieces(), strict=True)
    assert starts[0] == 0
    np.testing.assert_allclose(np.concatenate(arrays), wanted, rtol=2**-8)


def test_closed_features_say_so_and_what_was_handed_out_stays(features, wanted):
    view = features.rows(slice(12, 17))
    features.close()
    features.close()
    np.testing.assert_array_equal(view, wanted[12:17])
    for rows in ([1], slice(12, 17)):
        with pytest.raises(ValueError, match="closed"):
            features.rows(rows)


def test_no_rows_at_all(store, key, produce):
    with store.build(key, SHAPE, 0, produce) as features:
        assert len(features) == 0
        assert features.rows(slice(None)).shape == features.rows([]).shape == (0, *SHAPE)


def test_rows_of_single_numbers(store, key):
    with store.build(key, (), 500, lambda start, stop: [np.arange(start, stop, dtype=np.float32)]) as features:
        np.testing.assert_array_equal(features.rows([3, 400]), [3, 400])


def test_batches_cover_the_rows_in_order():
    asked = []

    def extract(start, stop):
        asked.append((start, stop))
        return np.arange(start, stop, dtype=np.float32)

    chunks = in_process(extract, 4)(3, 12)
    assert asked == [], "nothing is computed before it is wanted"
    np.testing.assert_array_equal(np.concatenate(list(chunks)), np.arange(3, 12))
    assert asked == [(3, 7), (7, 11), (11, 12)]


def test_a_batch_has_rows():
    with pytest.raises(ValueError, match="batch_size is 0, but must be >= 1"):
        in_process(lambda start, stop: np.empty(0), 0)
