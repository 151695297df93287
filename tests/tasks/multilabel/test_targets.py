import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.split import Split
from graft.data.targets import RawTargets, Targets
from graft.spec.tasks.multilabel import Multilabel
from graft.tasks.multilabel.targets import check_labels_left, read_labels
from graft.tasks.multilabel.task import MultilabelTask


def objects(*cells):
    found = np.empty(len(cells), dtype=object)
    found[:] = cells
    return found


@pytest.mark.parametrize(
    "cells",
    [
        ("red;small", "", "small ; ;red;red", "round"),
        (["red", "small"], [], ["small", "red"], ["round"]),
        ({"red", "small"}, None, ("red", "small"), "round"),
        (np.array(["red", "small"]), float("nan"), "small;red", ["round"]),
    ],
)
def test_lists_sets_and_texts_say_the_same(cells):
    found = read_labels(RawTargets(objects(*cells)), "x", ";")
    assert found.names == ("red", "round", "small")
    assert found.values.dtype == np.uint8
    assert found.values.tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 1, 0]]


def test_whole_numbers_in_lists_are_names():
    assert read_labels(RawTargets(objects([10, 9], [9])), "x", ";").names == ("10", "9")


def test_another_separator():
    found = read_labels(RawTargets(np.array(["a | b;c", "a"])), "x", "|")
    assert found.names == ("a", "b;c")


def test_columns_of_zeros_and_ones():
    found = read_labels(RawTargets(np.array([[0, 1], [1, 1]]), columns=("red", "small")), "x", ";")
    assert (found.names, found.values.tolist()) == (("red", "small"), [[0, 1], [1, 1]])
    assert found.values.dtype == np.uint8


@pytest.mark.parametrize(
    "column", [["True", "False"], ["yes", "No"], ["Y", "n"], ["ja", "nein"], [True, False], ["1", "0"], ["true", "0"]]
)
def test_columns_of_yes_and_no(column):
    raw = RawTargets(np.array([column, [0, 1]], dtype=object).T, columns=("red", "small"))
    found = read_labels(raw, "x", ";")
    assert found.values.tolist() == [[1, 0], [0, 1]]


def test_a_column_of_yes_and_no_must_be_complete():
    raw = RawTargets(np.array([["yes", "no"], ["", "no"]]), columns=("red", "small"))
    with pytest.raises(DataError, match=r"1 of 2 values are missing in column `red` of x \(row 2\)"):
        read_labels(raw, "x", ";")
    with pytest.raises(DataError, match=r"column `red` of x holds `perhaps`, `yes`, but several .* yes and no"):
        read_labels(RawTargets(np.array([["perhaps", "no"], ["yes", "no"]]), columns=("red", "small")), "x", ";")


def test_an_empty_cell_of_a_table_may_mean_either():
    raw = RawTargets(objects("red;small", ";", "round"), missing=np.array([2, 4]))
    with pytest.raises(DataError, match=r"is empty in rows 3, 5, which may mean that no label applies.* write `;`"):
        read_labels(raw, "x", ";")


def test_a_label_must_keep_a_sample_to_learn_it_from():
    targets = Targets(np.array([[1, 0], [1, 1], [0, 1], [1, 0]], np.uint8), ("red", "small"))
    splits = np.array([Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST], np.uint8)
    check_labels_left(targets, splits, np.array([False, True, True, True]), list("abcd"))
    with pytest.raises(DataError, match=r"label `small` has no readable sample left for train \(b cannot be read\)"):
        check_labels_left(targets, splits, np.array([True, False, True, True]), list("abcd"))
    with pytest.raises(DataError, match=r"no readable sample is left for test \(d cannot be read\)"):
        check_labels_left(targets, splits, np.array([True, True, True, False]), list("abcd"))


@pytest.mark.parametrize(("one", "other", "difference"), [("Red", "red", "case"), ("dark red", "dark_red", "blanks")])
def test_one_label_typed_in_two_ways_is_told(one, other, difference):
    with pytest.raises(
        DataError, match=f"x has the labels `.*` and `.*`, but names must differ in more than {difference}"
    ):
        read_labels(RawTargets(objects(f"{one};round", f"{other};round")), "x", ";")


@pytest.mark.parametrize(
    "cells",
    [("['red', 'small']", "['red']", "[]"), ('["red","small"]', '["red"]', "[]"), ("{red,small}", "{red}", "{}")],
)
def test_lists_written_into_cells_are_lists(cells):
    found = read_labels(RawTargets(objects(*cells)), "x", ";")
    assert (found.names, found.values.tolist()) == (("red", "small"), [[1, 1], [1, 0], [0, 0]])


def test_lists_of_zeros_and_ones_name_no_labels():
    for cells in (([0, 1, 1], [1, 0, 0]), ("[0, 1, 1]", "[1, 0, 0]")):
        with pytest.raises(DataError, match=r"holds lists of zeros and ones .* which name no labels"):
            read_labels(RawTargets(objects(*cells)), "x", ";")
    assert read_labels(RawTargets(objects([0, 1], [1])), "x", ";").names == ("0", "1")


def test_another_mark_between_labels_is_asked_about():
    cells = RawTargets(objects("red, small", "red", "small, round"))
    with pytest.raises(
        DataError, match=r'several labels \(write task: {kind: multilabel, separator: ","}\), or each holds'
    ):
        read_labels(cells, "x", ";")
    assert read_labels(cells, "x", ",").names == ("red", "round", "small")
    assert len(read_labels(RawTargets(objects("red, small", "red;", "small, round")), "x", ";").names) == 3


@pytest.mark.parametrize(("mark", "written"), [(" ", '" "'), (",", '","'), ("\n", r'"\\n"')])
def test_labels_that_a_blank_parts_are_asked_about_though_each_cell_has_as_many(mark, written):
    cells = RawTargets(objects(*(mark.join(pair) for pair in (("red", "small"), ("red", "round"), ("small", "round")))))
    with pytest.raises(DataError, match=f"several labels .write task: .kind: multilabel, separator: {written}"):
        read_labels(cells, "x", ";")
    assert read_labels(cells, "x", mark).names == ("red", "round", "small")


def test_a_model_is_scored_on_one_label():
    cells = RawTargets(objects("red", "red"))
    with pytest.raises(DataError, match="has 1 different label"):
        read_labels(cells, "x", ";")
    found = read_labels(cells, "x", ";", ("red", "round"))
    assert (found.names, found.values.tolist()) == (("red",), [[1], [1]])


def test_a_label_that_applies_to_nothing_may_be_unknown_to_the_model():
    flags = RawTargets(np.array([[1, 0], [0, 0]]), columns=("red", "tall"))
    task = MultilabelTask(Multilabel())
    assert task.align(task.read(flags, "x"), ("round", "red")).tolist() == [[0, 1], [0, 0]]
    with pytest.raises(DataError, match="has the label `red`, but the model knows tall, round"):
        task.align(task.read(flags, "x"), ("tall", "round"))
