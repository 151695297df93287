"""Groups that a search needs no more are let go, those that nobody holds, and come back."""

from graft.workers.groups.resting import Resting


def test_groups_that_nobody_holds_go_first() -> None:
    resting = Resting(4)
    assert resting.choose([0, 1, 2, 3], waiting=0) == [], "all are wanted"
    resting.keep(2)
    assert resting.choose([3], waiting=0) == [3], "the others are held"
    assert resting.choose([0, 1, 3], waiting=0) == [1]
    assert resting.choose([0], waiting=0) == [], "two are left, as many as are wanted"
    assert [resting.has(group) for group in range(4)] == [False, True, False, True]


def test_who_waits_is_not_left_without() -> None:
    resting = Resting(3)
    resting.keep(1)
    assert resting.choose([0, 1, 2], waiting=3) == []
    assert resting.choose([0, 1, 2], waiting=1) == [1, 2]


def test_they_come_back_and_one_always_stays() -> None:
    resting = Resting(3)
    resting.keep(0)
    assert resting.choose([0, 1, 2], waiting=0) == [1, 2]
    resting.keep(2)
    assert [resting.has(group) for group in range(3)] == [False, False, True]
    resting.keep(99)
    assert not any(resting.has(group) for group in range(3))
