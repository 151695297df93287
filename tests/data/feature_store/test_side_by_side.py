"""Sets of features that one pass computes."""

from collections.abc import Iterator

import numpy as np

from graft.data.feature_store.side_by_side import SideBySide

ROWS = np.arange(60, dtype=np.float32).reshape(10, 6)


def produce(start: int, stop: int) -> Iterator[np.ndarray]:
    for first in range(start, stop, 4):
        yield ROWS[first : min(first + 4, stop)]


def test_each_set_has_its_own_columns() -> None:
    together = SideBySide(produce, [1, 2, 3], 10)
    np.testing.assert_array_equal(np.concatenate(list(together.last(0, 10))), ROWS[:, 3:])
    np.testing.assert_array_equal(np.concatenate(list(together.held(0)(0, 10))), ROWS[:, :1])
    np.testing.assert_array_equal(np.concatenate(list(together.held(1)(2, 7))), ROWS[2:7, 1:3])


def test_the_last_set_is_given_as_it_is_computed() -> None:
    asked: list[int] = []

    def slowly(start: int, stop: int) -> Iterator[np.ndarray]:
        for row in range(start, stop):
            asked.append(row)
            yield ROWS[row : row + 1]

    chunks = SideBySide(slowly, [3, 3], 10).last(0, 10)
    next(chunks)
    assert asked == [0]
