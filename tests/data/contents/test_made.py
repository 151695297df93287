"""Texts that are made when asked for are like a list of them."""

import pytest

from graft.data.contents.made import Made


def test_it_is_like_a_list() -> None:
    made = Made(5, str)
    assert (list(made), made[-1], made[1:4:2], len(made)) == (["0", "1", "2", "3", "4"], "4", ["1", "3"], 5)
    assert made == ("0", "1", "2", "3", "4")
    assert made != ["0", "1"]
    assert made != "01234"
    with pytest.raises(IndexError):
        made[5]
