import numpy as np
import pytest

from graft.modalities.image.checks import hash_pairs
from graft.modalities.image.checks.hash_pairs import near_pairs


def hashes(count: int) -> np.ndarray:
    """Random ones, of which every third is the one before it with three bits changed."""
    draw = np.random.default_rng(0)
    found = draw.integers(0, 2**63, count, dtype=np.uint64)
    found[2::3] = found[1::3][: len(found[2::3])] ^ np.uint64(0b1000_0000_0000_0001_0000_0001)
    return found


def by_hand(values: np.ndarray, distance: int) -> set[tuple[int, int]]:
    return {
        (first, second)
        for first in range(len(values))
        for second in range(first + 1, len(values))
        if int(values[first] ^ values[second]).bit_count() <= distance
    }


@pytest.mark.parametrize("count", [0, 1, 2, 3, 150])
@pytest.mark.parametrize("distance", [0, 3, 24])
def test_all_pairs_are_found(count: int, distance: int) -> None:
    values = hashes(count)
    found = near_pairs(values, distance)
    assert {(int(first), int(second)) for first, second in found} == by_hand(values, distance)
    assert len(found) == len(by_hand(values, distance))


def test_of_many_hashes_those_that_share_a_quarter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_pairs, "ALL_PAIRS", 10)
    values = hashes(150)
    assert {(int(one), int(two)) for one, two in near_pairs(values, 3)} == by_hand(values, 3)


def test_a_quarter_that_everybody_has_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_pairs, "ALL_PAIRS", 10)
    monkeypatch.setattr(hash_pairs, "_LARGEST_BAND", 20)
    values = hashes(90) & np.uint64(0xFFFF_FFFF_FFFF_0000)
    assert len(near_pairs(values, 3)) == len(by_hand(values, 3))
