import hashlib
import os

import numpy as np
import pyarrow as pa
import pytest
import torch

from graft.core.errors import SpecError
from graft.data.feature_store.shards import COLUMN, STORED, decode, encode, map_shard, write_shard

EDGES = [0.0, -0.0, 1.0, -1.5, 1e-8, 3.4e38, 65504.0, float("inf"), -float("inf"), 1 + 2**-8, 1 + 3 * 2**-8, 2**-126]


@pytest.fixture
def values():
    random = np.random.default_rng(0).standard_normal(10_000).astype(np.float32)
    return np.concatenate([random * np.float32(1e3), np.array(EDGES, np.float32)]).reshape(-1, 2)


def test_bfloat16_is_torchs_bit_for_bit(values):
    wanted = torch.from_numpy(values).bfloat16()
    stored = encode(values, "bfloat16")
    np.testing.assert_array_equal(stored, wanted.view(torch.uint16).numpy())
    np.testing.assert_array_equal(decode(stored, "bfloat16"), wanted.float().numpy())


@pytest.mark.parametrize("dtype", STORED)
def test_not_a_number_stays_one(dtype):
    tricky = np.array([0x7F800001, 0x7FFFFFFF, 0xFFC00000], np.uint32).view(np.float32)
    assert np.isnan(decode(encode(tricky, dtype), dtype)).all()


def test_float16_rounds_to_nearest():
    values = np.array([1 + 2**-11 + 2**-13, 65504, -65504, 1e-9], np.float32)
    np.testing.assert_array_equal(encode(values, "float16"), np.array([1 + 2**-10, 65504, -65504, 0], np.float16))


def test_float32_is_not_copied():
    values = np.ones(3, np.float32)
    assert encode(values, "float32") is values
    assert decode(values, "float32") is values


def test_what_float16_cannot_hold_is_an_error():
    with pytest.raises(SpecError, match="a feature is 70000, but float16 ends at 65504; store as float32 or bfloat16"):
        encode(np.array([1, 70000, np.inf], np.float32), "float16")


def test_infinity_itself_is_no_overflow():
    assert np.isinf(encode(np.array([np.inf], np.float32), "float16")).all()


def test_whole_numbers_are_refused():
    with pytest.raises(ValueError, match="features are uint8, but must be floats"):
        encode(np.zeros(3, np.uint8), "float32")


@pytest.fixture(params=STORED)
def dtype(request):
    return request.param


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_rows_come_back(tmp_path, dtype, shape):
    rows = encode(np.random.default_rng(0).standard_normal((7, *shape)).astype(np.float32), dtype)
    path = tmp_path / "x.arrow"
    size, digest = write_shard(path, rows, dtype)
    assert (size, digest) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    found = map_shard(path, shape, dtype)
    assert found.dtype == STORED[dtype]
    np.testing.assert_array_equal(found, rows)


def test_the_map_is_no_copy_keeps_no_file_open_and_outlives_the_file(tmp_path):
    rows = np.random.default_rng(0).standard_normal((1000, 64)).astype(np.float32)
    write_shard(tmp_path / "x.arrow", rows, "float32")
    before = len(os.listdir("/proc/self/fd")), pa.total_allocated_bytes()
    found = map_shard(tmp_path / "x.arrow", (64,), "float32")
    assert (len(os.listdir("/proc/self/fd")), pa.total_allocated_bytes()) == before
    assert not found.flags.writeable
    assert not found.flags.owndata
    (tmp_path / "x.arrow").unlink()
    np.testing.assert_array_equal(found, rows)


def test_any_arrow_reader_sees_tensors(tmp_path):
    rows = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    write_shard(tmp_path / "x.arrow", rows, "float32")
    table = pa.ipc.open_file(tmp_path / "x.arrow").read_all()
    np.testing.assert_array_equal(table[COLUMN].combine_chunks().to_numpy_ndarray(), rows)


def test_another_shape_or_type_is_refused(tmp_path):
    write_shard(tmp_path / "x.arrow", np.zeros((2, 6), np.float32), "float32")
    for shape, dtype in [((2, 3), "float32"), ((6,), "float16"), ((5,), "float32")]:
        with pytest.raises(ValueError, match=r"x.arrow holds .* instead of"):
            map_shard(tmp_path / "x.arrow", shape, dtype)


def test_an_existing_file_is_not_overwritten(tmp_path):
    (tmp_path / "x.arrow").write_text("precious")
    with pytest.raises(FileExistsError):
        write_shard(tmp_path / "x.arrow", np.zeros((2, 6), np.float32), "float32")


def test_it_is_on_the_disk_before_it_is_done(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    size, _ = write_shard(tmp_path / "x.arrow", np.zeros((2, 6), np.float32), "float32")
    assert sizes == [size]
