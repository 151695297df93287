"""Values that are made when asked for are like a list of them."""

import numpy as np
import pytest

from graft.data.contents.made import Made, Picked


def test_it_is_like_a_list() -> None:
    made = Made(5, str)
    assert (list(made), made[-1], made[1:4:2], len(made)) == (["0", "1", "2", "3", "4"], "4", ["1", "3"], 5)
    assert made == ("0", "1", "2", "3", "4")
    assert made != ["0", "1"]
    assert made != "01234"
    with pytest.raises(IndexError):
        made[5]


def test_some_rows_of_a_sequence() -> None:
    picked = Picked("abcde", np.array([4, 0]))
    assert (list(picked), picked[-1], len(picked)) == (["e", "a"], "a", 2)
    assert picked == ["e", "a"]
