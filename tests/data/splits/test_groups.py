import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.splits.groups import Groups, deal_groups

SHARES = (0.6, 0.2, 0.2)


def of_sizes(*sizes: int) -> Groups:
    return Groups.of([f"g{place}" for place, size in enumerate(sizes) for _ in range(size)])


def shares_of(parts: np.ndarray) -> np.ndarray:
    return np.bincount(parts, minlength=3) / len(parts)


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_torn_and_sizes_and_classes_keep_their_shares(seed):
    rng = np.random.default_rng(seed)
    groups = of_sizes(*rng.integers(1, 30, 60))
    classes = rng.choice(4, len(groups.codes), p=[0.5, 0.3, 0.15, 0.05])
    parts = deal_groups(classes, groups, SHARES, seed)
    assert all(len(set(parts[groups.codes == group])) == 1 for group in range(len(groups)))
    np.testing.assert_allclose(shares_of(parts), SHARES, atol=0.03)
    for label in range(4):
        np.testing.assert_allclose(shares_of(parts[classes == label]), SHARES, atol=0.15)


def test_labels_keep_their_shares():
    rng = np.random.default_rng(0)
    groups = of_sizes(*[5] * 100)
    labels = (rng.random((500, 3)) < [0.5, 0.3, 0.1]).astype(np.uint8)
    parts = deal_groups(labels, groups, SHARES, 0)
    for label in range(3):
        np.testing.assert_allclose(shares_of(parts[labels[:, label] == 1]), SHARES, atol=0.06)


def test_the_seed_decides_and_only_the_seed():
    groups, strata = of_sizes(*[3] * 40), np.zeros(120, dtype=np.int64)
    np.testing.assert_array_equal(deal_groups(strata, groups, SHARES, 1), deal_groups(strata, groups, SHARES, 1))
    assert np.any(deal_groups(strata, groups, SHARES, 1) != deal_groups(strata, groups, SHARES, 2))


def test_a_group_that_alone_holds_a_class_is_trained_on():
    groups = of_sizes(5, 5, 5, 5)
    classes = np.repeat([0, 0, 0, 1], 5)
    for seed in range(8):
        assert set(deal_groups(classes, groups, SHARES, seed)[15:]) == {0}
    ranges = deal_groups(groups.codes, groups, SHARES, 0, keeps_alone=False)
    assert set(ranges) == {0, 1, 2}


def test_one_large_group_leaves_no_part_empty():
    parts = deal_groups(np.zeros(102, dtype=np.int64), of_sizes(100, 1, 1), SHARES, 0)
    assert np.bincount(parts).tolist() == [100, 1, 1]


def test_rows_without_a_group_are_groups_of_their_own():
    groups = Groups.of([None, "a", None, "a"])
    assert (groups.codes.tolist(), groups.sizes.tolist()) == ([0, 1, 2, 1], [1, 2, 1])
    assert groups.named(0) == "a sample without a group"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["ann"] * 9, r"^group `ann` holds all 9 samples .* 3 groups are needed, one for each split; name another"),
        (["ann", "bob"] * 4, r"^there are 2 groups, but at least 3 are needed"),
    ],
)
def test_too_few_groups(names, told):
    with pytest.raises(DataError, match=told):
        deal_groups(np.zeros(len(names), dtype=np.int64), Groups.of(names), SHARES, 0)


def test_a_class_for_each_group_cannot_be_held_out():
    groups = of_sizes(3, 3, 3, 3)
    with pytest.raises(
        DataError, match=r"^4 of 4 groups alone hold a class, so they cannot be held out, and 0 are left"
    ):
        deal_groups(groups.codes, groups, SHARES, 0)
