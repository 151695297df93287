import hashlib
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.core.errors import DataError
from graft.data.split import (
    LEFT_OUT,
    UNASSIGNED,
    Split,
    plan_splits,
    require_samples,
    stratified_limit,
    stratified_split,
)


@dataclass(frozen=True)
class Settings:
    validation: float = 0.2
    test: float = 0.2
    limit: int | None = None
    seed: int = 0


def labels_of(*counts: int) -> np.ndarray:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(5).permutation(labels)


def counts_of(codes: np.ndarray, labels: np.ndarray, split: int) -> list[int]:
    return np.bincount(labels[codes == split], minlength=labels.max() + 1).tolist()


def test_every_class_is_split_in_proportion():
    labels = labels_of(100, 50, 10)
    codes = stratified_split(labels, 0.2, 0.1, seed=3)
    assert codes.dtype == np.uint8
    assert counts_of(codes, labels, Split.VALIDATION) == [20, 10, 2]
    assert counts_of(codes, labels, Split.TEST) == [10, 5, 1]
    assert counts_of(codes, labels, Split.TRAIN) == [70, 35, 7]


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    labels = labels_of(40, 40)
    first = stratified_split(labels, 0.2, 0.2, seed=1)
    np.testing.assert_array_equal(first, stratified_split(labels, 0.2, 0.2, seed=1))
    assert np.any(first != stratified_split(labels, 0.2, 0.2, seed=2))


def test_a_new_class_does_not_move_the_others():
    labels = labels_of(20, 20)
    more = np.concatenate([labels, np.full(20, 2)])
    np.testing.assert_array_equal(
        stratified_split(labels, 0.2, 0.2, seed=1), stratified_split(more, 0.2, 0.2, seed=1)[: len(labels)]
    )


def test_rounding_does_not_add_up_over_many_classes():
    labels = labels_of(*[7] * 50)
    codes = stratified_split(labels, 0.2, 0.0, seed=0)
    assert abs(int(np.sum(codes == Split.VALIDATION)) - 70) <= 1


def test_many_tiny_classes_take_nothing_from_a_large_one():
    labels = labels_of(*[3] * 40, 200)
    codes = stratified_split(labels, 0.2, 0.0, seed=0)
    assert counts_of(codes, labels, Split.VALIDATION)[-1] in (39, 40)


@given(
    counts=st.lists(st.integers(3, 30), min_size=2, max_size=6),
    validation=st.floats(0.01, 0.6),
    test=st.floats(0.01, 0.39),
    seed=st.integers(0, 100),
)
def test_every_class_has_a_sample_in_every_split(counts, validation, test, seed):
    labels = labels_of(*counts)
    codes = stratified_split(labels, validation, test, seed)
    for split in Split:
        assert min(counts_of(codes, labels, split)) >= 1


def test_too_few_samples_of_a_class_name_it():
    with pytest.raises(DataError, match=r"class `owl` has 2 samples, but needs at least 3, one for each split; add"):
        stratified_split(labels_of(5, 2), 0.2, 0.2, 0, names=["cat", "owl"])
    with pytest.raises(DataError, match=r"class `0` has 1 sample, but needs at least 2.*and 1 more"):
        stratified_split(labels_of(1, 1, 9), 0.2, 0.0, 0)


def test_something_must_be_left_to_train_on():
    with pytest.raises(DataError, match="must be left to train on"):
        stratified_split(labels_of(9, 9), 0.6, 0.4, 0)


def test_a_limit_keeps_the_proportions():
    labels = labels_of(600, 300, 100)
    kept = stratified_limit(labels, 100, seed=0)
    assert len(kept) == 100
    assert np.all(np.diff(kept) > 0)
    assert np.bincount(labels[kept]).tolist() == [60, 30, 10]


def test_a_larger_limit_contains_the_smaller_one():
    labels = labels_of(600, 300, 100)
    assert set(stratified_limit(labels, 100, 4)) < set(stratified_limit(labels, 200, 4))


def test_a_limit_beyond_the_rows_keeps_all():
    np.testing.assert_array_equal(stratified_limit(labels_of(4, 4), 8, 0), np.arange(8))


@given(counts=st.lists(st.integers(2, 40), min_size=1, max_size=6), data=st.data())
def test_a_limit_is_met_exactly_with_enough_of_each_class(counts, data):
    labels = labels_of(*counts)
    limit = data.draw(st.integers(2 * len(counts), len(labels)))
    kept = stratified_limit(labels, limit, 0, per_stratum=2)
    assert len(np.unique(kept)) == limit
    assert np.bincount(labels[kept], minlength=len(counts)).min() >= 2


def test_a_limit_below_the_classes_is_refused():
    with pytest.raises(DataError, match=r"data.limit is 3, but 2 classes need at least 4"):
        stratified_limit(labels_of(9, 9), 3, 0, per_stratum=2)


def plan(given: list[int], labels: np.ndarray, **settings: object) -> np.ndarray:
    return plan_splits(np.array(given, dtype=np.uint8), labels, Settings(**settings), ["a", "b", "c"])


def test_without_given_splits_all_are_drawn():
    labels = labels_of(50, 50)
    codes = plan([UNASSIGNED] * 100, labels, validation=0.2, test=0.1)
    assert [int(np.sum(codes == split)) for split in Split] == [70, 20, 10]


def test_a_given_test_set_is_kept_and_the_share_is_of_the_rest():
    labels = np.tile([0, 1], 60)
    given = [UNASSIGNED] * 100 + [int(Split.TEST)] * 20
    codes = plan(given, labels, validation=0.2, test=0.9)
    assert np.all(codes[100:] == Split.TEST)
    assert [int(np.sum(codes == split)) for split in Split] == [80, 20, 20]


def test_a_given_validation_set_is_kept():
    labels = np.tile([0, 1], 60)
    given = [int(Split.VALIDATION)] * 20 + [UNASSIGNED] * 100
    codes = plan(given, labels, validation=0.5, test=0.3)
    assert np.all(codes[:20] == Split.VALIDATION)
    assert [int(np.sum(codes == split)) for split in Split] == [70, 20, 30]


def test_the_limit_spares_the_test_set():
    labels = np.tile([0, 1], 100)
    whole = plan([UNASSIGNED] * 200, labels, validation=0.2, test=0.2)
    limited = plan([UNASSIGNED] * 200, labels, validation=0.2, test=0.2, limit=40)
    np.testing.assert_array_equal(whole == Split.TEST, limited == Split.TEST)
    assert [int(np.sum(limited == code)) for code in (*Split, LEFT_OUT)] == [30, 10, 40, 120]


def test_the_limit_shrinks_a_given_validation_set_in_proportion():
    labels = np.tile([0, 1], 60)
    given = [int(Split.VALIDATION)] * 20 + [UNASSIGNED] * 80 + [int(Split.TEST)] * 20
    codes = plan(given, labels, limit=50)
    assert [int(np.sum(codes == code)) for code in (*Split, LEFT_OUT)] == [40, 10, 20, 50]
    assert not np.any(codes[20:] == Split.VALIDATION)


def test_no_test_set_at_all_is_refused():
    with pytest.raises(DataError, match=r"data.test is 0, but the data brings no test set"):
        plan([UNASSIGNED] * 20, labels_of(10, 10), test=0.0)


def test_the_message_counts_all_splits_that_are_drawn():
    with pytest.raises(DataError, match="class `b` has 2 samples, but needs at least 3"):
        plan([UNASSIGNED] * 12, labels_of(10, 2))
    given = [UNASSIGNED] * 12 + [int(Split.TEST)]
    assert np.sum(plan(given, np.append(labels_of(10, 2), 0)) == Split.VALIDATION) >= 2


def test_enough_is_enough():
    require_samples(labels_of(3, 3), 3)


GOLDEN = [
    ({}, 0, 0, "9f11f52ef63a02df"),
    ({"limit": 300}, 0, 0, "027a778742f62589"),
    ({"limit": 100, "seed": 7}, 0, 0, "30868cb01deadc4c"),
    ({"seed": 3, "validation": 0.1}, 300, 0, "40bbf4ee81228407"),
    ({"limit": 300}, 300, 200, "ab5e66f9c25e20a3"),
]


@pytest.mark.parametrize(("settings", "num_test", "num_validation", "digest"), GOLDEN)
def test_the_splits_of_the_digits_are_those_of_the_first_release(settings, num_test, num_validation, digest):
    from sklearn.datasets import load_digits

    labels = load_digits().target.astype(np.int64)
    brought = np.full(len(labels), UNASSIGNED, np.uint8)
    brought[:num_test] = Split.TEST
    brought[num_test : num_test + num_validation] = Split.VALIDATION
    codes = plan_splits(brought, labels, Settings(**settings), [str(digit) for digit in range(10)])
    assert hashlib.sha256(codes.tobytes()).hexdigest()[:16] == digest


def test_a_message_calls_the_strata_what_the_task_calls_them():
    with pytest.raises(
        DataError, match=r"range `low` has 1 sample.*\(and 1 more ranges\); add some or remove the range"
    ):
        plan_splits(np.full(2, UNASSIGNED, np.uint8), np.array([0, 1]), Settings(), ["low", "high"], "range")
    with pytest.raises(DataError, match=r"data.limit is 3, but 2 ranges need at least 4"):
        stratified_limit(labels_of(9, 9), 3, 0, per_stratum=2, noun="range")


def test_names_of_which_each_has_one_sample_name_samples():
    from graft.data.splits.sizes import check_enough

    with pytest.raises(DataError, match=r"29 more classes\); most classes have one sample, so they may name samples"):
        check_enough([(f"u{row}", 1) for row in range(30)], 3)
    with pytest.raises(DataError, match=r"\(and 4 more classes\); add some or remove the class"):
        check_enough([(f"u{row}", 1) for row in range(5)], 3)
