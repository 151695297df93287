import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.splits.times import parts_by_time, told_time

SHARES = (0.6, 0.2, 0.2)


def test_the_newest_are_last_and_ties_stay_together():
    times = np.random.default_rng(0).integers(0, 12, 300).astype(np.float64)
    parts = parts_by_time(times, SHARES)
    assert [times[parts == part].max() < times[parts == part + 1].min() for part in (0, 1)] == [True, True]
    np.testing.assert_allclose(np.bincount(parts) / 300, SHARES, atol=0.06)


def test_each_part_keeps_a_moment_however_the_rows_lie():
    assert parts_by_time(np.array([1.0, *[2.0] * 97, 3.0, 3.0]), SHARES).tolist() == [0] + [1] * 97 + [2] * 2
    assert parts_by_time(np.array([3.0, 1.0, 2.0]), SHARES).tolist() == [2, 0, 1]
    assert parts_by_time(np.array([3.0, 1.0, 2.0]), (1.0,)).tolist() == [0, 0, 0]


def test_one_time_cannot_be_divided():
    with pytest.raises(
        DataError, match=r"^the 5 samples .* have `2024-05-31` in all of them, but at least 2 different"
    ):
        parts_by_time(np.full(5, 1_717_113_600_000_000), (0.8, 0.2))
    with pytest.raises(DataError, match="have 2 different times, but at least 3"):
        parts_by_time(np.array([1.0, 2.0]), SHARES)


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (np.int64(1_717_113_600_000_000), "2024-05-31"),
        (np.int64(1_717_158_600_000_000), "2024-05-31T12:30:00Z"),
        (np.int64(-1_000_000), "1969-12-31T23:59:59Z"),
        (np.float64(1789), "1789"),
    ],
)
def test_times_are_told_as_they_are_written(time, told):
    assert told_time(time) == told
