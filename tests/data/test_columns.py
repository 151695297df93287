import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.data.columns import Ragged

ROWS = [np.array([1, 2, 3]), np.array([], dtype=int), np.array([4]), np.array([], dtype=int)]


@pytest.fixture
def ragged() -> Ragged:
    return Ragged.of(ROWS, "int32")


def test_rows_are_joined_and_found_again(ragged):
    assert (ragged.values.tolist(), ragged.values.dtype) == ([1, 2, 3, 4], np.int32)
    assert (ragged.offsets.tolist(), ragged.offsets.dtype) == ([0, 3, 3, 4, 4], np.int64)
    assert len(ragged) == 4
    assert ragged.lengths.tolist() == [3, 0, 1, 0]
    assert [ragged.row(row).tolist() for row in range(4)] == [[1, 2, 3], [], [4], []]


def test_rows_are_taken_in_the_order_asked_for(ragged):
    assert [row.tolist() for row in ragged.take(np.array([2, 0, 1, 2]))] == [[4], [1, 2, 3], [], [4]]
    assert ragged.take(np.array([], dtype=np.int64)) == []


def test_a_row_is_a_view(ragged):
    assert np.shares_memory(ragged.row(0), ragged.values)
    assert all(np.shares_memory(row, ragged.values) for row in ragged.take(np.array([0, 2])))


def test_no_rows_are_a_column_too():
    empty = Ragged.of([], "uint8")
    assert (len(empty), empty.lengths.tolist(), empty.values.dtype) == (0, [], np.uint8)
    assert empty.offsets.tolist() == [0]


def test_it_travels(ragged):
    again = pickle.loads(pickle.dumps(ragged))
    assert [again.row(row).tolist() for row in range(4)] == [row.tolist() for row in ROWS]


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=20))
def test_whatever_the_rows_they_come_back(rows):
    ragged = Ragged.of([np.array(row, dtype=np.int64) for row in rows], "int64")
    assert [row.tolist() for row in ragged.take(np.arange(len(rows)))] == rows
    assert ragged.lengths.tolist() == [len(row) for row in rows]
