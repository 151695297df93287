"""Where processes that are placed together find room."""

import pytest

from graft.clusters.autoscaling.gang import Gang, place, room_for


def test_packed_processes_take_the_fullest_nodes() -> None:
    free = {"a": {"CPU": 8.0}, "b": {"CPU": 2.0}, "c": {"CPU": 1.0}}
    assert place(Gang(1, {"CPU": 1}), free) == {"c": 1}
    assert place(Gang(2, {"CPU": 1}), free) == {"b": 2}
    assert place(Gang(5, {"CPU": 1}), free) == {"a": 5}
    assert place(Gang(9, {"CPU": 1}), free) == {"a": 8, "b": 1}


def test_spread_processes_take_many() -> None:
    free = {"a": {"CPU": 8.0}, "b": {"CPU": 2.0}, "c": {"CPU": 1.0}}
    assert place(Gang(3, {"CPU": 1}, "spread"), free) == {"a": 1, "b": 1, "c": 1}
    assert place(Gang(6, {"CPU": 1}, "spread"), free) == {"a": 3, "b": 2, "c": 1}


@pytest.mark.parametrize("placement", ["pack", "spread"])
def test_all_or_none(placement) -> None:
    assert place(Gang(3, {"GPU": 1}, placement), {"a": {"GPU": 2.0}}) is None


def test_shares_are_counted_as_ray_counts_them() -> None:
    assert room_for({"GPU": 1.0}, {"GPU": 0.1}) == 10
    assert room_for({"CPU": 4.0}, {"CPU": 1, "GPU": 1}) == 0
    assert room_for({"CPU": 4.0, "data": 1.0}, {"CPU": 1.0, "data": 0.001}) == 4
