import hashlib
import os

import numpy as np
import pyarrow as pa
import pytest

from graft.data.feature_store.encoding import STORED, encode
from graft.data.feature_store.shards import COLUMN, map_shard, write_shard


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
