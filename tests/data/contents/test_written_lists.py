import pytest

from graft.data.contents.written_lists import read_written_lists


@pytest.mark.parametrize(
    ("cells", "lists"),
    [
        (["['a', 'b']", "[]"], [["a", "b"], []]),
        (['["it\'s", "x, y"]'], [["it's", "x, y"]]),
        (["['a' 'b']"], [["a", "b"]]),
        (["{'b'}", "('a',)"], [["b"], ["a"]]),
        (["{a,b}", "{a}"], [["a", "b"], ["a"]]),
        (["[1, 2]", "[3]"], [[1, 2], [3]]),
        (["[' ', 'x']"], [[" ", "x"]]),
    ],
)
def test_lists_as_programs_write_them(cells, lists):
    assert read_written_lists(cells) == lists


@pytest.mark.parametrize(
    "cells",
    [["[cat]", "[dog]"], ["[sci fi]"], ["(a, b)"], ["['a']", "b"], ['{"a": 1}'], ["[[1]]"], ["['a"], ["[" * 50_000]],
)
def test_names_in_brackets_are_no_lists(cells):
    assert read_written_lists(cells) is None
