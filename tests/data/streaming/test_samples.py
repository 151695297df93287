import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from graft.core.errors import DataError, ResourceError
from graft.data.columns import ColumnSpec, StorageSpec
from graft.data.dataset import Dataset, open_dataset
from graft.data.listing import DecodedBlock
from graft.data.read import Unreachable, Unreadable, read_file
from graft.data.store import Origin, Rows, column_writers, write_rows
from graft.data.streaming.samples import STREAMED, StreamedColumn

STORAGE = StorageSpec("image", (ColumnSpec("pixels", "uint8", (2,)),))


@dataclass(frozen=True)
class Pairs:
    """A sample is a file of two bytes."""

    def __call__(self, sources: Sequence[bytes]) -> DecodedBlock:
        block = DecodedBlock(
            {"pixels": np.zeros((len(sources), 2), np.uint8)}, [""] * len(sources), [""] * len(sources)
        )
        for place, source in enumerate(sources):
            try:
                content = read_file(source)
            except Unreadable as error:
                block.leave_out(place, error)
                continue
            block.columns["pixels"][place] = np.frombuffer(content, np.uint8)
            block.digests[place] = hashlib.sha256(content).hexdigest()
        return block


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Ten samples: [0, 0], [1, 2], [2, 4], …"""
    files = [tmp_path / f"{row}.bin" for row in range(10)]
    for row, file in enumerate(files):
        file.write_bytes(bytes([row, 2 * row]))
    digests = [hashlib.sha256(file.read_bytes()).digest() for file in files]
    directory = tmp_path / "dataset"
    directory.mkdir()
    with column_writers(directory, StorageSpec("image", STREAMED)) as writers:
        writers["sources"].append([np.frombuffer(str(file).encode(), np.uint8) for file in files])
        writers["sha256"].append(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32))
    rows = Rows(
        tuple(file.name for file in files), np.arange(10), np.zeros(10, np.uint8), tuple(one.hex() for one in digests)
    )
    write_rows(directory, rows, Origin("files", ("a", "b"), STORAGE, is_streamed=True))
    return open_dataset(directory, verify=True, decoder=Pairs())


@pytest.fixture
def column(dataset) -> StreamedColumn:
    column = dataset.columns["pixels"]
    assert isinstance(column, StreamedColumn)
    return column


def test_samples_are_decoded_when_they_are_asked_for(dataset, column):
    assert dataset.is_streamed
    assert (len(column), column.shape, column.dtype) == (10, (10, 2), np.uint8)
    assert column[np.array([3, 1])].tolist() == [[3, 6], [1, 2]]
    assert column[4].tolist() == [4, 8]


def test_it_travels_with_its_decoder_and_without_its_samples(dataset):
    content = pickle.dumps(dataset.arrays())
    assert len(content) < 1000
    again = pickle.loads(content)
    assert again.columns["pixels"][np.array([9])].tolist() == [[9, 18]]


def test_nothing_is_decoded_without_a_decoder(dataset):
    with pytest.raises(ValueError, match="without a decoder"):
        _ = open_dataset(dataset.directory).columns


def test_a_file_that_has_changed_is_named(tmp_path, column):
    (tmp_path / "5.bin").write_bytes(b"ab")
    assert column[np.array([4])].tolist() == [[4, 8]]
    with pytest.raises(DataError, match=r"^5\.bin has changed since ingest"):
        column[np.array([4, 5])]


def test_a_file_that_is_gone_is_named(tmp_path, column):
    (tmp_path / "5.bin").unlink()
    with pytest.raises(DataError, match=r"^5\.bin .*could be read at ingest"):
        column[np.array([5])]


def test_a_file_that_cannot_be_had_is_the_machines_fault(column, monkeypatch):
    def refuse(self: Pairs, sources: Sequence[bytes]) -> DecodedBlock:
        block = DecodedBlock({"pixels": np.zeros((len(sources), 2), np.uint8)}, [""], [""])
        block.leave_out(0, Unreachable("cannot be had"))
        return block

    monkeypatch.setattr(Pairs, "__call__", refuse)
    with pytest.raises(ResourceError, match=r"^2\.bin cannot be had"):
        column[np.array([2])]


def test_what_is_announced_is_read_ahead_in_blocks_of_any_size(column):
    closed = []

    def read_ahead(samples, reading, rank):
        rows = np.concatenate(reading[rank])
        try:
            for start in range(0, len(rows), 3):
                yield samples.decode(rows[start : start + 3])
        finally:
            closed.append(rank)

    ahead = column.read_by(read_ahead)
    reading = [[np.array([0])], [np.array([9, 8, 7, 6]), np.array([5, 4]), np.array([0])]]
    with ahead.ahead(reading, 1):
        for rows in reading[1]:
            assert ahead[rows].tolist() == [[row, 2 * row] for row in rows]
        with pytest.raises(ValueError, match="beyond what was announced"):
            ahead[np.array([1])]
    assert closed == [1]
    assert ahead[np.array([1])].tolist() == [[1, 2]]


def test_who_stops_early_closes_what_reads_ahead(column):
    closed = []

    def read_ahead(samples, reading, rank):
        try:
            yield samples.decode(reading[rank][0])
        finally:
            closed.append(rank)

    ahead = column.read_by(read_ahead)

    def batches():
        with ahead.ahead([[np.array([0]), np.array([1])]], 0):
            yield ahead[np.array([0])]
            yield ahead[np.array([1])]

    some = batches()
    next(some)
    some.close()
    assert closed == [0]
