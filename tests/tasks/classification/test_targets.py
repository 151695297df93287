import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.folders.label_names import check_label_names
from graft.data.split import Split
from graft.data.targets import RawTargets, Targets
from graft.spec.tasks.classification import Classification
from graft.tasks.classification.targets import check_classes_left, read_classes
from graft.tasks.classification.task import ClassificationTask


def read(values, **more):
    return read_classes(RawTargets(np.asarray(values), **more), "a.csv")


def test_categories_keep_their_order_and_codes():
    found = read([1, 0, 1], categories=("zebra", "ant"))
    assert found.names == ("zebra", "ant")
    assert (found.values.tolist(), found.values.dtype) == ([1, 0, 1], np.int64)


@pytest.mark.parametrize(
    ("values", "names", "codes"),
    [
        (["owl", " cat ", "owl"], ("cat", "owl"), [1, 0, 1]),
        ([10.0, 9.0, 10.0], ("9", "10"), [1, 0, 1]),
        ([10, -2], ("-2", "10"), [1, 0]),
        (["10", "9"], ("9", "10"), [1, 0]),
        ([0.5, 1.5, 0.5], ("0.5", "1.5"), [0, 1, 0]),
        ([True, False], ("false", "true"), [1, 0]),
    ],
)
def test_columns_are_sorted(values, names, codes):
    found = read(values)
    assert (found.names, found.values.tolist()) == (names, codes)


def test_many_whole_numbers_may_be_classes_if_they_come_back():
    assert len(read(np.arange(200) % 60).names) == 60
    assert len(read(np.arange(2000) % 41 / 2).names) == 41
    with pytest.raises(DataError, match="holds 41 different numbers in 200 rows"):
        read(np.arange(200) % 41 / 2)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["cat"], r"x has 1 class \(cat\), but needs at least 2 to tell apart; add another"),
        ([], r"x has 0 class \(\)"),
        (["Cat", "cat"], "x has the classes `Cat` and `cat`, but names must differ in more than case; rename or merge"),
        (["up", "up\u200b"], "but names must differ in more than blanks and characters that are not seen; rename"),
        (["very up", "very\u00a0up"], "but names must differ in more than blanks and characters that are not seen"),
        (["é", "e\u0301"], "but names must differ in more than case"),
        (["a", "a"], "but names must be different; rename"),
        (
            ["new york", "paris", "new_york"],
            "`new york` and `new_york`, but names must differ in more than blanks, hyphens",
        ),
    ],
)
def test_names_that_cannot_be_told_apart(names, message):
    with pytest.raises(DataError, match=message):
        check_label_names(names, "x")


def test_a_class_without_a_readable_sample_is_named():
    targets = Targets(np.array([0, 1, 1, 1, 0]), ("cat", "owl"))
    splits = np.array([Split.TRAIN, Split.TRAIN, Split.TEST, Split.TEST, Split.TEST], np.uint8)
    ids = ["a", "b", "c", "d", "e"]
    check_classes_left(targets, splits, np.array([True, True, True, False, True]), ids)
    with pytest.raises(DataError, match=r"class `owl` has no readable sample left for test \(c and 1 more cannot be"):
        check_classes_left(targets, splits, np.array([True, True, False, False, True]), ids)


def test_a_model_is_scored_on_one_class_and_on_numbers_that_all_differ():
    with pytest.raises(DataError, match="has 1 class"):
        read(["cat", "cat"])
    assert read_classes(RawTargets(np.array(["cat"])), "a.csv", ("cat", "dog")).names == ("cat",)
    ids = np.arange(30)
    with pytest.raises(DataError, match="30 different numbers in 30 rows"):
        read(ids)
    assert len(read_classes(RawTargets(ids), "a.csv", tuple(map(str, ids))).names) == 30


def test_a_class_without_samples_may_be_unknown_to_the_model():
    task = ClassificationTask(Classification())
    targets = Targets(np.array([2, 0]), ("cat", "yak", "dog"))
    assert task.align(targets, ("dog", "cat")).tolist() == [0, 1]


@pytest.mark.parametrize(
    "names", [("1", "no", "true"), ("Yes", "Y"), ("yes", "no", "0"), ("on", "off", "FALSE"), ("ja", "nein", "yes")]
)
def test_yes_and_no_have_one_spelling_each(names):
    with pytest.raises(DataError, match=r"x has the classes `.*, which say the same; write each answer in one way"):
        check_label_names(names, "x")


@pytest.mark.parametrize("names", [("yes", "no"), ("0", "1"), ("true", "unknown", "no"), ("t", "y", "n"), ("1", "2")])
def test_other_names_are_names(names):
    check_label_names(names, "x")
