from itertools import product

import pytest

from graft.core.seeds import derive_seed


@pytest.mark.parametrize(
    ("parts", "seed"),
    [((0,), 1609362278), ((0, "order", 1), 1658082444), ((7, "augment", 3), 688577940), ((0, "größe"), 936756201)],
)
def test_a_seed_never_changes_between_versions(parts, seed):
    # A changed derivation would silently give every resumed or repeated experiment other random numbers.
    assert derive_seed(*parts) == seed


def test_seeds_of_different_purposes_differ():
    parts = [(root, purpose, epoch) for root, purpose, epoch in product(range(5), ("order", "augment"), range(50))]
    assert len({derive_seed(*one) for one in parts}) == len(parts)


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, 2), (12,)), ((0, "ab", "c"), (0, "a", "bc")), ((0, "a", ""), (0, "a")), ((0, 1), (0, -1))],
)
def test_parts_do_not_run_into_each_other(one, other):
    assert derive_seed(*one) != derive_seed(*other)


@pytest.mark.parametrize("root", [0, -1, 2**31, 2**64, 10**30])
def test_a_seed_fits_every_library(root):
    # numpy.random.seed, random.seed and torch.manual_seed all take 0 .. 2^31 - 1.
    assert 0 <= derive_seed(root, "x") < 2**31


def test_both_halves_of_the_range_are_used():
    seeds = [derive_seed(0, number) for number in range(400)]
    assert 150 < sum(seed >= 2**30 for seed in seeds) < 250
