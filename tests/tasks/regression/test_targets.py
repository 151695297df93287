from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.core.errors import DataError
from graft.data.split import LEFT_OUT, UNASSIGNED, Split
from graft.data.targets import RawTargets, Targets
from graft.tasks.regression.targets import check_numbers_left, read_numbers, require_spread, split_by_quantiles


@dataclass(frozen=True)
class Settings:
    validation: float = 0.2
    test: float = 0.2
    limit: int | None = None
    seed: int = 0


def targets_of(values):
    values = np.asarray(values, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    return Targets(values, tuple("ab"[: values.shape[1]]))


def split(values, brought=None, **options):
    brought = np.full(len(values), UNASSIGNED, np.uint8) if brought is None else brought
    return split_by_quantiles(brought, targets_of(values), Settings(**options))


def test_one_column_or_several():
    found = read_numbers(RawTargets(np.array([1, 2])), "x")
    assert (found.names, found.values.tolist(), found.values.dtype) == (("value",), [[1.0], [2.0]], np.float64)
    found = read_numbers(RawTargets(np.array([[1, 4], [2, 5]]), columns=("a", "b")), "x")
    assert (found.names, found.values.shape) == (("a", "b"), (2, 2))
    assert read_numbers(RawTargets(np.array([[1, 4], [2, 5]])), "x").names == ("value 1", "value 2")
    assert read_numbers(RawTargets(np.array(["1.5", "-2"]), columns=("y",)), "x").names == ("y",)


def test_codes_whose_names_are_numbers_are_those_numbers():
    found = read_numbers(RawTargets(np.array([0, 1, 0]), categories=("10", "25")), "x")
    assert found.values[:, 0].tolist() == [10, 25, 10]


def test_numbers_are_read_as_the_whole_column_is_written():
    unclear = RawTargets(np.array(["1,234", "2,500"]), columns=("y",))
    assert read_numbers(unclear, "x", ",").values.ravel().tolist() == [1.234, 2.5]
    assert read_numbers(unclear, "x", ".").values.ravel().tolist() == [1234.0, 2500.0]
    with pytest.raises(DataError, match=r"holds plain numbers with a decimal point .* the task says `decimal"):
        read_numbers(RawTargets(np.array([1.234, 2.5])), "x", ",")


def test_the_second_column_is_checked_too():
    with pytest.raises(DataError, match=r"column `b` of x \(row 2\)"):
        read_numbers(RawTargets(np.array([[1, 4], [2, np.nan]]), columns=("a", "b")), "x")


def test_small_and_large_values_are_in_every_split():
    values = np.random.default_rng(0).exponential(size=500)
    codes = split(values)
    for code in Split:
        inside = np.sort(values[codes == code])
        for level in (0.1, 0.5, 0.9):
            share = np.mean(inside <= np.quantile(values, level))
            assert share == pytest.approx(level, abs=0.025), (code, level)


def test_it_is_nearer_to_the_whole_than_chance():
    values = np.random.default_rng(0).normal(size=200)
    spread = [values[split(values, seed=seed) == Split.TEST].mean() for seed in range(30)]
    chance = [np.random.default_rng(seed).choice(values, 40, replace=False).mean() for seed in range(30)]
    assert np.std(spread) < np.std(chance) / 2


def test_several_targets_are_ordered_together():
    rng = np.random.default_rng(0)
    first = rng.normal(size=400)
    values = np.stack([first, 1000 * (first + 0.1 * rng.normal(size=400))], axis=1)
    codes = split(values)
    for column in values.T:
        assert column[codes == Split.TEST].mean() == pytest.approx(column.mean(), abs=0.1 * column.std())


def test_equal_values_are_shared_out_too():
    codes = split([0.0] * 95 + [1.0] * 5)
    assert [int(np.sum(codes == code)) for code in Split] == [60, 20, 20]


@settings(max_examples=60)
@given(num=st.integers(3, 60), seed=st.integers(0, 50), limit=st.none() | st.integers(2, 60))
def test_any_number_of_rows_is_split(num, seed, limit):
    values = np.random.default_rng(seed).normal(size=num)
    codes = split(values, seed=seed, limit=limit)
    sizes = [int(np.sum(codes == code)) for code in Split]
    assert min(sizes) >= 1
    pool = num - sizes[2]
    assert sizes[0] + sizes[1] == min(pool, limit or pool)


def test_a_given_test_set_does_not_move_the_bins():
    brought = np.full(120, UNASSIGNED, np.uint8)
    brought[:20] = Split.TEST
    values = np.concatenate([np.full(20, 1e6), np.arange(100.0)])
    codes = split(values, brought)
    assert np.all(codes[:20] == Split.TEST)
    assert [int(np.sum(codes[20:] == code)) for code in (*Split, LEFT_OUT)] == [80, 20, 0, 0]
    assert values[codes == Split.VALIDATION].mean() == pytest.approx(49.5, abs=5)


def test_a_large_test_set_leaves_some_of_every_bin():
    values = np.random.default_rng(0).normal(size=61)
    assert [int(np.sum(split(values, test=0.8, validation=0.1) == code)) for code in Split] == [6, 6, 49]
    with pytest.raises(DataError, match="must be left to train on"):
        split(values, test=0.8, validation=0.3)


def test_too_few_rows():
    with pytest.raises(DataError, match=r"there are 2 samples to draw splits from, but at least 3 are needed"):
        split([1.0, 2.0])


def test_training_must_keep_different_values():
    targets = targets_of([1.0, 2.0, 1.0, 3.0, 4.0])
    splits = np.array([0, 0, 0, 1, 2], np.uint8)
    readable = np.array([True, False, True, True, True])
    with pytest.raises(DataError, match=r"target `a` is 1 in all of the readable training samples \(2\)"):
        check_numbers_left(targets, splits, readable, list("vwxyz"))
    with pytest.raises(DataError, match="target `a` is 3"):
        require_spread(np.full((4, 1), 3.0), ("a",), "here")


def test_a_model_is_scored_on_a_target_that_is_the_same_everywhere():
    same = RawTargets(np.array([2.0, 2.0]), columns=("y",))
    with pytest.raises(DataError, match="is 2 in all 2 rows, but must differ to be learned"):
        read_numbers(same, "x")
    assert read_numbers(same, "x", known=("y",)).values.ravel().tolist() == [2.0, 2.0]
    assert read_numbers(RawTargets(np.array(["1.5"])), "x", known=("y",)).values.tolist() == [[1.5]]
