from datetime import UTC, date, datetime

import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.tables.labels import Place
from graft.data.tables.side_columns import groups_of, times_of, weights_of

PLACE = Place("t.csv", "c")
NOON = 1_717_156_800_000_000  # 2024-05-31T12:00Z in microseconds


def test_groups_are_texts_and_numbers():
    found = groups_of(PLACE, [" ann ", 3.0, 2.5, None, "", True, float("nan"), date(2024, 1, 2)])
    assert found.tolist() == ["ann", "3", "2.5", None, None, "true", None, "2024-01-02"]


@pytest.mark.parametrize(
    ("values", "told"),
    [([None, ""], "^column `c` of t.csv is empty in all rows"), (["a", ["b"]], "is a list in row 2, but a group must")],
)
def test_groups_that_are_none(values, told):
    with pytest.raises(DataError, match=told):
        groups_of(PLACE, values)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1789, 2024.5], [1789.0, 2024.5]),
        (["0930", "1700000000000000000"], [930.0, 1.7e18]),
        (["2024-05-31T12:00", "1969-12-31"], [NOON, -86_400_000_000]),
        (["2024-05-31T14:00+02:00", "2024-05-31T12:00Z"], [NOON, NOON]),
        ([datetime(2024, 5, 31, 12, tzinfo=UTC), datetime(2024, 5, 31, 12, tzinfo=UTC)], [NOON, NOON]),
        (["2024-05", date(2024, 5, 1)], [1_714_521_600_000_000] * 2),
    ],
)
def test_times_are_numbers_or_moments(values, wanted):
    found = times_of(PLACE, values)
    assert (found.tolist(), found.dtype.kind) == (wanted, "f" if isinstance(wanted[0], float) else "i")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["2024-05-31", ""], "^column `c` of t.csv is empty in row 2, but every row must have a time"),
        ([1.0, None], "is empty in row 2"),
        (["31.05.2024"], r"is `31.05.2024` in row 1, but must be a number, or a date such as 2024-05-31"),
        (["2024-02-30"], "is `2024-02-30` in row 1"),
        ([3.0, "2024-05-31"], r"is a date without an offset in row 2 \(`2024-05-31`\), but a number in row 1"),
        (["2024-05-31", "2024-05-31T12:00Z"], "is a date with an offset in row 2"),
        ([True], "is `true` in row 1"),
        ([float("inf")], "is `inf` in row 1"),
    ],
)
def test_times_that_are_none(values, told):
    with pytest.raises(DataError, match=told):
        times_of(PLACE, values)


def test_weights_are_numbers_from_0():
    np.testing.assert_array_equal(weights_of(PLACE, [0, 2.5, 1]), [0.0, 2.5, 1.0])


def test_weights_are_written_as_labels_may_be():
    np.testing.assert_array_equal(weights_of(PLACE, ["0,5", "2", "1.234,5"]), [0.5, 2.0, 1234.5])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.0, None], "is empty in row 2, but a weight must be a number from 0"),
        ([1.0, -0.5], "is `-0.5` in row 2"),
        ([float("nan")], "is `nan` in row 1"),
        ([float("inf")], "is `inf` in row 1"),
        (
            ["1,234", "2,500"],
            "`1,234`, whose decimal mark no cell tells: .*; write plain numbers",
        ),
        (["-0,5", "1"], "is `-0.5` in row 1"),
        (["12%", "3"], "numbers need one unit"),
        (["heavy"], "is `heavy` in row 1"),
        ([True], "is `true` in row 1"),
        ([0, 0.0], "^column `c` of t.csv is 0 in all rows, but some sample must count"),
    ],
)
def test_weights_that_are_none(values, told):
    with pytest.raises(DataError, match=told):
        weights_of(PLACE, values)


def test_a_weight_is_shown_as_the_table_has_it():
    with pytest.raises(DataError, match="is `-1` in row 2, but a weight must be a number from 0"):
        weights_of(PLACE, [1.0, -1.0])
