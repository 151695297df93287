"""Values of which many are equal are like a list of them."""

import numpy as np
import pytest

from graft.data.contents import coded
from graft.data.contents.coded import Coded

VALUES = ["a", None, 1, 1.0, True, "a", ["x"], ["x"], float("nan"), 1, None]


@pytest.mark.parametrize("most", [0, 2, 100])
def test_it_is_like_a_list(most, monkeypatch):
    monkeypatch.setattr(coded, "_MOST_SHARED", most)
    found = Coded(VALUES[:4])
    found.extend(VALUES[4:])
    assert [*map(repr, found)] == [*map(repr, VALUES)]
    assert [type(one) for one in found.tolist()] == [type(one) for one in VALUES]
    assert (len(found), found[-1], found[1:3]) == (11, None, [None, 1])
    assert [VALUES[row] for row in found.firsts if row not in (8,)] == [one for one in found.different if one == one]


def test_equal_values_are_kept_once():
    found = Coded(["b", "a", "b", 1, 1.0, True])
    assert (found.different, list(found.firsts)) == (["b", "a", 1, 1.0, True], [0, 1, 3, 4, 5])
    assert (found.codes.tolist(), found.counts().tolist()) == ([0, 1, 0, 2, 3, 4], [2, 1, 1, 1, 1])
    assert found.rows(lambda one: one == "b").tolist() == [0, 2]
    assert found.array()[0] is found.array()[2]


def test_a_change_is_made_once_for_each():
    calls = []
    found = Coded(["b", "a", "b"]).mapped(lambda one: calls.append(one) or one.upper())
    assert (list(found), calls, list(found.firsts)) == (["B", "A", "B"], ["b", "a"], [0, 1])
    assert found.taken([1, 0], np.int64).tolist() == [1, 0, 1]


def test_lists_of_one_length_stay_lists():
    assert Coded([["a", "b"], ["c", "d"]]).array().tolist() == [["a", "b"], ["c", "d"]]
