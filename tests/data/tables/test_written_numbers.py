"""Numbers as people write them, and what cannot be told from a column."""

import pytest

from graft.data.tables.column_facts import facts_of
from graft.data.tables.written_numbers import read_written

READ = {
    "decimal commas": (["3,5", "4", ",25"], [3.5, 4.0, 0.25]),
    "a currency before": (["$3.50", "-$1,234.00", "$-7"], [3.5, -1234.0, -7.0]),
    "a currency behind": (["3,50 €", "1.200 €"], [3.5, 1200.0]),
    "a code": (["USD 5", "USD 1,200.5"], [5.0, 1200.5]),
    "percent": (["12%", "3.5%"], [12.0, 3.5]),
    "points between thousands": (["1.234.567", "950"], [1234567.0, 950.0]),
    "both marks": (["1.234,5", "1.234"], [1234.5, 1234.0]),
    "blanks": (["1 234,5", "12\u00a0345"], [1234.5, 12345.0]),
    "apostrophes": (["1'234.50", "12"], [1234.5, 12.0]),
    "a minus sign": (["\u22123,5", "+2,5e1"], [-3.5, 25.0]),
    "other minus signs": (["\u20133,5", "\u20102,5", "\uff0d1"], [-3.5, -2.5, -1.0]),
    "a minus sign behind": (["1.234,56-", "2,50-"], [-1234.56, -2.5]),
    "brackets of accountants": (["(1,234.50)", "(12.00)", "3.25"], [-1234.5, -12.0, 3.25]),
    "a mark of direction": (["\u200e-5", "\ufeff3"], [-5.0, 3.0]),
    "Arabic marks": (["\u0661\u066b\u0665", "\u0661\u066c\u0662\u0663\u0664\u066b\u0665"], [1.5, 1234.5]),
    "Arabic percent": (["\u0661\u0662\u066a", "\u0663\u066a"], [12.0, 3.0]),
    "wide digits": (["\uff11\uff0e\uff15", "2.5"], [1.5, 2.5]),
    "a unit of any kind": (["12 kg", "13,5 kg"], [12.0, 13.5]),
    "degrees": (["20°C", "-3°C"], [20.0, -3.0]),
    "powers beside commas": (["1,5e3", "2"], [1500.0, 2.0]),
    "zeros that only thousands have": (["1,250", "950"], [1250.0, 950.0]),
    "a zero that no thousands begin with": (["0,234", "1,500"], [0.234, 1.5]),
}
NO_NUMBERS = {
    "words": ["3,5", "four"],
    "versions": ["1.2.3", "1"],
    "units of any kind that differ": ["12 kg", "13 lb"],
    "a unit of any kind, and none": ["12 kg", "13"],
    "names": ["12 Main Street", "13 Main Street"],
    "thousands of other lengths": ["1,23,456", "2"],
    "telephones": ["030 123 456", "1"],
    "two signs": ["-(3)", "1"],
    "a sign on both sides": ["-3-", "1"],
    "an open bracket": ["(3", "1"],
    "fractions": ["1/2", "3"],
    "booleans": ["true", "false"],
    "a long cell of blanks": ["1" + " " * 100_000],
}
QUESTIONS = {
    "either": (["1,234", "2,500"], "whose decimal mark no cell tells: it is 1234 if it is the point and 1.234 if"),
    "either, beside others": (["1,234", "950"], "no cell tells"),
    "either, of a currency": (["$1.234", "$2.345"], "no cell tells"),
    "both": (["3,5", "4.25"], "holds `3,5`, whose decimal mark is the comma, and `4.25`, whose mark is the point"),
    "units": (["12%", "3"], "holds `12%` and `3`, but numbers need one unit"),
}


@pytest.mark.parametrize("name", READ)
def test_what_one_reading_fits_is_read(name: str) -> None:
    texts, values = READ[name]
    found = read_written(texts)
    assert found is not None
    assert list(found.values) == values
    assert found.told


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_stays_a_text(name: str) -> None:
    assert read_written(NO_NUMBERS[name]) is None


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_two_readings_fit_is_asked_back(name: str) -> None:
    texts, told = QUESTIONS[name]
    found = read_written(texts)
    assert found is not None
    assert told in found.question
    assert not found.values


def test_the_mark_that_the_user_names_is_used_or_refused() -> None:
    found = read_written(["1,234", "2,500"], ",")
    assert found is not None
    assert found.values == (1.234, 2.5)
    found = read_written(["1,5"], ".")
    assert found is not None
    assert "holds `1,5`, which is no number if the point is the decimal mark" in found.question


def test_a_column_of_them_is_one_of_numbers() -> None:
    for cells in (["3,5", "4", "3,5"], ["1,234", "2,345", "1,234"]):
        facts = facts_of("price", cells, lambda _: False)
        assert (facts.form, facts.distinct, facts.consecutive) == ("numbers", 2, False)
