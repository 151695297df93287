import pytest

from graft.core.errors import SpecError
from graft.data.feature_store import eviction
from graft.data.feature_store.eviction import Holding, Usage, cache_limit, choose_victims

OLD, MIDDLE, NEW = Holding("old", 10, 1.0, False), Holding("middle", 20, 2.0, False), Holding("new", 30, 3.0, False)


@pytest.mark.parametrize(
    ("excess", "wanted"),
    [(0, ()), (1, ("old",)), (10, ("old",)), (11, ("old", "middle")), (60, ("old", "middle", "new")), (61, None)],
)
def test_the_least_recently_used_go_first_and_no_more_than_needed(excess, wanted):
    assert choose_victims([NEW, OLD, MIDDLE], excess) == wanted


def test_what_is_in_use_stays():
    busy = Holding("busy", 100, 0.0, True)
    assert choose_victims([busy, NEW], 30) == ("new",)
    assert choose_victims([busy, NEW], 31) is None


@pytest.mark.parametrize(
    ("usage", "need", "wanted"),
    [
        (Usage(held=50, promised=0, unwritten=0, free=1000, limit=100), 50, 0),
        (Usage(held=50, promised=0, unwritten=0, free=1000, limit=100), 51, 1),
        (Usage(held=50, promised=30, unwritten=10, free=1000, limit=100), 50, 30),
        (Usage(held=50, promised=30, unwritten=10, free=40, limit=1000), 50, 20),
        (Usage(held=0, promised=0, unwritten=0, free=1000, limit=0), 1, 1),
    ],
)
def test_both_the_limit_and_the_disk_must_have_room(usage, need, wanted):
    assert usage.excess(need) == wanted


def test_the_variable_sets_the_limit(tmp_path):
    assert cache_limit(tmp_path, 0, {"GRAFT_CACHE_GB": "2.5"}) == 2_500_000_000
    assert cache_limit(tmp_path, 7, {"GRAFT_CACHE_GB": "0"}) == 0


@pytest.mark.parametrize("text", ["ten", "-1", "nan", "inf"])
def test_a_limit_that_is_no_size_is_an_error(tmp_path, text):
    with pytest.raises(SpecError, match=f"GRAFT_CACHE_GB is `{text}`, but must be a number >= 0"):
        cache_limit(tmp_path, 0, {"GRAFT_CACHE_GB": text})


def test_without_it_a_quarter_of_what_is_free_or_held(tmp_path, monkeypatch):
    monkeypatch.setattr(eviction, "free_bytes", lambda root: 300)
    assert cache_limit(tmp_path, 100, {}) == 100


def test_free_bytes_of_a_directory_that_is_yet_to_be_made(tmp_path):
    assert eviction.free_bytes(tmp_path / "a" / "b") == pytest.approx(eviction.free_bytes(tmp_path), rel=0.05)
