import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.models.info import cut_index


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
