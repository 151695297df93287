import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.targets import RawTargets
from graft.tasks.reading import label_columns, number_in, one_column, places_of, rows_named


def column(values, name="y"):
    return label_columns(RawTargets(values, columns=(name,)), "a.csv")[0]


def objects(*cells):
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (np.array([1.5, np.nan]), "numbers"),
        (np.array([1, 2]), "numbers"),
        (np.array([True, False]), "numbers"),
        (np.array(["1", " 2.5 ", ""]), "numbers"),
        (np.array(["a", "b"]), "words"),
        (np.array(["1", "2", "3a"]), "words"),
        (objects(["a"], "b", None), "lists"),
        (objects(("a",), {"b"}), "lists"),
        (objects("a", 3), "mixed"),
        (objects(["a"], 3.0), "mixed"),
        (np.array([*map(str, range(40)), "n/a"]), "mixed"),
        (objects(None, float("nan"), " ", "NaN"), "empty"),
        (objects("a", 10**400), "mixed"),
    ],
)
def test_forms(values, form):
    assert column(values).form == form


def test_missing_cells_and_numbers():
    found = column(objects("1", None, np.float32("nan"), np.int64(4), "  "))
    assert found.missing.tolist() == [1, 2, 4]
    np.testing.assert_array_equal(found.numbers, [1, np.nan, np.nan, 4, np.nan])
    with pytest.raises(DataError, match=r"3 of 5 values are missing in column `y` of a\.csv \(rows 2, 3, 5\)"):
        found.require_complete()


def test_codes_read_as_the_names_they_stand_for():
    raw = RawTargets(np.array([1, 0, 1]), categories=("10", "20"))
    assert label_columns(raw, "folder")[0].numbers.tolist() == [20, 10, 20]


def test_a_mixed_column_shows_both_sorts():
    with pytest.raises(DataError, match=r"holds numbers \(row 2: `7`\) and words or lists \(rows 1, 3: `a`\)"):
        column(objects("a", 7, "b")).require_one_form()


def test_what_is_no_label_is_refused():
    with pytest.raises(DataError, match="holds a dict in row 2, but a label is a text, a number or a list"):
        column(objects("a", {"b": 1}))


def test_dates_are_no_labels():
    with pytest.raises(DataError, match="holds dates"):
        column(np.array(["2024-01-01", "2024-01-02"], dtype="datetime64[ns]"))


def test_only_one_column():
    raw = RawTargets(np.zeros((3, 2)), columns=("a", "b"))
    with pytest.raises(DataError, match=r"data\.label names 2 columns \(a, b\), but classification takes one"):
        one_column(raw, "a.csv", "classification")


@pytest.mark.parametrize(
    ("cell", "number"), [("1e3", 1000.0), ("1_000", None), (True, 1.0), (["1"], None), ("x", None)]
)
def test_numbers_in_cells(cell, number):
    assert number_in(cell) == number


def test_only_the_first_rows_are_named():
    assert rows_named([0]) == "row 1"
    assert rows_named(range(8)) == "rows 1, 2, 3, 4, 5 and 3 more"


@pytest.mark.parametrize("word", ["nan", "NaN", "NA", "null", "None", "N/A", "none", "NULL"])
def test_words_that_others_take_for_nothing_are_words_among_words(word):
    found = column(objects("naan", word, None))
    assert (found.cells, found.missing.tolist(), found.form) == (["naan", word, None], [2], "words")


def test_among_numbers_they_say_that_there_is_none():
    assert column(objects("1", "nan", "2.5", "NaN")).cells == ["1", None, "2.5", None]
    assert column(objects("1", "nan", "2.5x")).cells == ["1", "nan", "2.5x"]


def test_a_name_is_one_whichever_way_its_accents_were_typed():
    assert len(set(column(objects("caf\u00e9", "cafe\u0301")).cells)) == 1
    assert column(objects(["caf\u00e9"], ["cafe\u0301"])).cells == [["caf\u00e9"]] * 2


@pytest.mark.parametrize(("found", "known"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")])
def test_a_model_knows_its_names_whichever_way_they_were_typed(found, known):
    assert places_of([found, "tea"], ["tea", known], "class").tolist() == [1, 0]
    with pytest.raises(DataError, match="the data has the class `cafe`"):
        places_of(["cafe"], ["tea", known], "class")
