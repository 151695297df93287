import numpy as np
import pytest

from graft.data.feature_store.locks import NotStored
from graft.data.feature_store.shards import map_shard
from graft.data.feature_store.writer import Layout, write_shards

LAYOUT = Layout((2,), rows=23, dtype="float32", shard_rows=10)


def rows(count, first=0):
    return np.arange(2 * first, 2 * (first + count), dtype=np.float32).reshape(count, 2)


def write(tmp_path, chunks, bounds=(0, 23)):
    told = []
    shards = list(write_shards(tmp_path, LAYOUT, chunks, bounds, lambda done, total: told.append((done, total))))
    return shards, told


@pytest.mark.parametrize("lengths", [[23], [1] * 23, [7, 7, 7, 2], [0, 10, 0, 10, 3], [21, 2]])
def test_chunks_of_any_length_become_equal_shards(tmp_path, lengths):
    firsts = np.cumsum([0, *lengths])
    shards, told = write(tmp_path, [rows(n, first) for n, first in zip(lengths, firsts, strict=False)])
    assert [(shard.start, shard.stop) for shard in shards] == [(0, 10), (10, 20), (20, 23)]
    found = np.concatenate([map_shard(tmp_path / shard.file, (2,), "float32") for shard in shards])
    np.testing.assert_array_equal(found, rows(23))
    assert told == [(int(done), 23) for done in firsts[1:]]
    assert {path.name for path in tmp_path.iterdir()} == {shard.file for shard in shards}


def test_one_shard_alone_has_its_place(tmp_path):
    shards, told = write(tmp_path, [rows(10, 10)], (10, 20))
    assert [(shard.start, shard.stop) for shard in shards] == [(10, 20)]
    assert told == [(10, 10)]


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([rows(22)], "features of 22 rows were produced, but 23 were promised"),
        ([], "features of 0 rows were produced"),
        ([rows(23), rows(1)], "more than 23 rows"),
        ([np.zeros((23, 3), np.float32)], r"shape \(3,\), but \(2,\) was promised"),
    ],
)
def test_broken_promises_are_errors(tmp_path, chunks, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path, chunks)


def test_no_rows_are_no_shards(tmp_path):
    layout = Layout((2,), rows=0, dtype="float32", shard_rows=10)
    assert list(write_shards(tmp_path, layout, [], (0, 0), lambda done, total: None)) == []


def test_a_directory_that_was_removed_is_a_clear_error(tmp_path):
    with pytest.raises(NotStored, match="the directory was removed"):
        write(tmp_path / "gone", [rows(23)])


def test_an_error_of_the_producer_is_not_taken_for_one_of_the_disk(tmp_path):
    def chunks():
        yield rows(5)
        raise FileNotFoundError("weights")

    with pytest.raises(FileNotFoundError, match="weights"):
        write(tmp_path, chunks())


@pytest.mark.parametrize(
    ("dtype", "shape", "wanted"), [("float32", (3, 4), 20), ("float16", (3, 4), 41), ("float32", (10_000,), 1)]
)
def test_a_shard_is_bounded_in_bytes_but_holds_a_row(dtype, shape, wanted):
    assert Layout.of(shape, 100, dtype, shard_bytes=1000).shard_rows == wanted


def test_the_promised_bytes_are_enough_and_not_much_too_much(tmp_path):
    for count in (1, 10, 1000):
        layout = Layout.of((64,), count, "float32", shard_bytes=25_600)
        directory = tmp_path / str(count)
        directory.mkdir()
        chunk = np.zeros((count, 64), np.float32)
        shards = list(write_shards(directory, layout, [chunk], (0, count), lambda done, total: None))
        written = sum(shard.bytes for shard in shards)
        assert written <= layout.bytes <= written + 2048 * len(shards)


@pytest.mark.parametrize(("shape", "rows"), [((0,), 1), ((2,), -1)])
def test_what_cannot_be_stored_is_refused(shape, rows):
    with pytest.raises(ValueError, match="must be >= 0 rows of sides >= 1"):
        Layout.of(shape, rows, "float32")
