"""Columns that may be groups or times are told by their names and values."""

import pytest

from graft.data.tables.column_facts import facts_of
from graft.data.tables.suggested_sides import suggested_sides

TWICE = [f"p{row // 2}" for row in range(40)]
DATES = [f"2024-01-{1 + row % 28:02d}" for row in range(40)]


def suggested(taken=(), **columns):
    return suggested_sides([facts_of(name, values, lambda _: False) for name, values in columns.items()], taken)


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "Artist", "user", "speaker-id", "session", "camera nr"])
def test_groups(name):
    assert suggested(text=DATES, **{name: TWICE}) == {"group": name}
    assert suggested(**{name: [row // 2 for row in range(40)]}) == {"group": name}


@pytest.mark.parametrize("name", ["date", "created_at", "date_captured", "Timestamp", "year", "visit date"])
def test_times(name):
    assert suggested(**{name: DATES}) == {"time": name}
    assert suggested(**{name: list(range(2000, 2040))}) == {"time": name}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("patient_id", [str(row) for row in range(40)]),  # one row each: no group
        ("patient_id", ["a", "b"] * 20),  # too few for three splits
        ("username_hash", TWICE),
        ("groups_of_words", TWICE),
        ("date", [*DATES[:39], None]),
        ("date", ["soon", "later", "never", "now"] * 10),
        ("update", DATES),
        ("user", [[1], [2], [3], [3]] * 10),
    ],
)
def test_what_is_neither(name, values):
    assert suggested(**{name: values}) == {}


def test_a_column_with_another_role_is_not_suggested():
    assert suggested(taken={"artist"}, artist=TWICE, year=DATES, date=DATES) == {"time": "year"}
