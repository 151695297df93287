"""What targets may mean beside what they are taken for."""

import numpy as np
import pytest

from graft.data.targets import Targets
from graft.spec.tasks.classification import Classification
from graft.spec.tasks.multilabel import Multilabel
from graft.spec.tasks.regression import Regression
from graft.tasks.doubts import doubts_of
from graft.tasks.multilabel.targets import read_labels
from graft.tasks.registry import build_task

AGES = np.linspace(18, 90, 40)


@pytest.mark.parametrize(
    ("mark", "values"),
    [
        (-999, AGES),
        (9999, AGES),
        (-1, AGES),
        (-1, [0.0, 0.5, 1.0, 1.5]),
        (999999, AGES * 100),
        (0, AGES + 200),
    ],
)
def test_a_number_far_from_all_others_may_say_that_one_is_missing(mark, values):
    targets = Targets(np.array([*values, mark, mark, mark], dtype=np.float64)[:, None], ("age",))
    (told,) = doubts_of(build_task(Regression()), targets)
    assert told.startswith(f"`age` is {mark:g} in 3 of {len(targets)} rows, and ")
    assert told.endswith("empty these cells if it stands for a missing one")


@pytest.mark.parametrize(
    "values",
    [
        [*AGES, -999.0],  # once may be a slip, and it is an outlier
        [*AGES, 0, 0, 0],
        [*AGES, 95, 95, 95],
        [*(AGES - 50), -51, -51, -51],
        [-1, 0, 1, -1, 0, 1, -1, 2, -2],
        [0, 1, 0, 1, 0, 1],
        [*AGES, 999.25, 999.25, 999.25],
    ],
)
def test_numbers_among_others_are_measured(values):
    assert doubts_of(build_task(Regression()), Targets(np.array(values, dtype=np.float64)[:, None], ("age",))) == ()


def test_one_number_that_is_absurdly_far_is_told():
    values = np.array([*AGES, 1e12])[:, None]
    (told,) = doubts_of(build_task(Regression()), Targets(values, ("age",)))
    assert told.startswith("`age` is 1e+12 in 1 of 41 rows, and all others are from 18 to 90")


def read(*cells):
    return read_labels(raw(*cells), "x", ";")


def raw(*cells):
    from graft.data.targets import RawTargets

    return RawTargets(np.array(cells, dtype=object), columns=("tags",))


@pytest.mark.parametrize("nothing", ["none", "No label", "NO_LABEL", "n/a", "-", "unlabeled", "NULL"])
def test_a_label_that_says_there_is_none_is_told(nothing):
    (told,) = doubts_of(build_task(Multilabel()), read("red;wide", "red", nothing, "wide;small", nothing))
    assert told.startswith(f"2 rows have the label `{nothing}`, and none beside it; it is taken as a label")


def test_a_label_that_stands_beside_others_is_one():
    assert doubts_of(build_task(Multilabel()), read("red;wide", "red;none", "none", "wide;small")) == ()


def test_another_mark_in_some_cells_is_told():
    (told,) = doubts_of(build_task(Multilabel()), read("red;wide", "red,wide", "small", "wide;small"))
    assert told.startswith("`red,wide` is taken as one label, but `red` and `wide` are labels, too; write `;` between")


def classes(*cells):
    names, codes = np.unique(cells, return_inverse=True)
    return Targets(codes.astype(np.int64), tuple(names.tolist()))


def test_a_class_that_says_there_is_none_is_told():
    (told,) = doubts_of(build_task(Classification()), classes("cat", "n/a", "dog", "N/A ".strip().lower(), "cat"))
    assert told.startswith("2 rows have the label `n/a`, which is taken as a class; empty these cells")


def test_words_in_all_mixtures_are_told():
    mixed = ("red", "wide", "old", "red wide", "wide red", "old red", "red old wide", "wide old")
    (told,) = doubts_of(build_task(Classification()), classes(*mixed))
    assert told.startswith("`old red` is taken as the name of one class, but its words are found in other names")


@pytest.mark.parametrize(
    "names",
    [
        ("very bad", "bad", "neutral", "good", "very good"),
        ("black cat", "white cat", "cat", "dog", "black dog"),
        ("New York", "New Jersey", "York"),
    ],
)
def test_names_of_several_words_are_names(names):
    assert doubts_of(build_task(Classification()), classes(*names)) == ()
