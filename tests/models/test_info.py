import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.models.info import BackboneInfo, cut_index, moved_shares


@pytest.mark.parametrize(
    ("freeze", "num_blocks", "reinitialised", "expected"),
    [
        (0.0, 17, 0, 0),
        (1.0, 17, 0, 17),
        (0.75, 17, 0, 13),
        (0.02, 17, 0, 0),
        (0.03, 17, 0, 1),
        (1.0, 17, 2, 15),
        (0.5, 17, 2, 8),
        (1.0, 4, 9, 0),
    ],
)
def test_cut_is_the_rounded_share_and_spares_reinitialised_blocks(freeze, num_blocks, reinitialised, expected):
    assert cut_index(freeze, num_blocks, reinitialised) == expected


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 60), st.integers(0, 80))
def test_cut_is_monotonic_and_within_bounds(low, high, num_blocks, reinitialised):
    low, high = sorted((low, high))
    first, second = (cut_index(freeze, num_blocks, reinitialised) for freeze in (low, high))
    assert 0 <= first <= second <= max(0, num_blocks - reinitialised)


@pytest.mark.parametrize("freeze", [-0.1, 1.1, float("nan")])
def test_freeze_outside_a_share_is_refused(freeze):
    with pytest.raises(ValueError, match="must be between 0 and 1"):
        cut_index(freeze, 4)


def test_negative_counts_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        cut_index(0.5, 4, -1)


def info(blocks: int) -> BackboneInfo:
    return BackboneInfo("net", "timm/net", "image", blocks, 8, 100, None)


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0.5], "net has 17 blocks: freeze 0.5 is 0.471 (8 of them)"),
        ([0.75, 0.0, 0.06], "net has 17 blocks: freeze 0.75 is 0.765 (13 of them), freeze 0.06 is 0.059 (1 of them)"),
        ([0.0, 1.0], ""),
        ([8 / 17, 0.471], ""),
        ([], ""),
    ],
)
def test_shares_within_a_block_are_told(shares, told):
    assert moved_shares(shares, info(17)) == told
    assert moved_shares([0.5, 0.25, 0.75], info(16)) == ""
