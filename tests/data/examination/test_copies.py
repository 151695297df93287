import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from graft.data.examination.copies import across_splits, copy_groups, joined_groups, merged


def test_equal_values_are_a_group() -> None:
    groups = copy_groups(np.array(["a", "b", "a", "c", "b"], dtype=object))
    assert (groups[0] == groups[2], groups[1] == groups[4], groups[3]) == (True, True, -1)
    assert groups[0] != groups[1]


def test_links_reach_through() -> None:
    groups = joined_groups(6, np.array([[0, 1], [1, 2], [4, 5]]))
    assert len({*groups[:3].tolist()}) == 1
    assert groups[3] == -1
    assert groups[4] == groups[5] != groups[0]


@given(some.lists(some.tuples(some.integers(-1, 3), some.integers(-1, 3)), max_size=12))
def test_what_belongs_together_in_either_does_in_both(rows: list[tuple[int, int]]) -> None:
    first, second = (np.array([row[side] for row in rows], dtype=np.int64).reshape(-1) for side in (0, 1))
    both = merged(first, second)
    for groups in (first, second):
        for number in {*groups.tolist()} - {-1}:
            members = np.flatnonzero(groups == number)
            if len(members) > 1:
                assert len({*both[members].tolist()}) == 1
                assert both[members[0]] >= 0


def test_groups_on_both_sides() -> None:
    groups = np.array([0, 0, 1, 1, -1])
    assert across_splits(groups, np.array([0, 2, 1, 1, 2], np.uint8)).tolist() == [True, True, False, False, False]
    assert across_splits(groups[:0], groups[:0]).tolist() == []
