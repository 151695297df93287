import numpy as np
import pytest

from graft.core.errors import DataError
from graft.data.splits.folds import fold_codes


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_held_out_once_in_each_repeat_and_classes_are_even(seed):
    classes = np.random.default_rng(seed).choice(3, 103, p=[0.6, 0.3, 0.1])
    codes = fold_codes(classes, None, 5, 4, seed)
    assert codes.shape == (4, 103)
    for one in codes:
        assert sorted(np.bincount(one, minlength=5))[0] >= 20
        for label in range(3):
            counts = np.bincount(one[classes == label], minlength=5)
            assert counts.max() - counts.min() <= 2
    assert len({tuple(one) for one in codes}) == 4
    np.testing.assert_array_equal(codes, fold_codes(classes, None, 5, 4, seed))


def test_no_group_is_torn():
    groups = [f"g{row // 4}" for row in range(80)]
    for one in fold_codes(np.arange(80) % 2, groups, 4, 2, 0):
        assert all(len(set(one[start : start + 4])) == 1 for start in range(0, 80, 4))
        assert np.bincount(one).tolist() == [20] * 4


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        (None, r"^search.evaluation.folds is 5, but there are 4 samples to train on and to validate with; lower it"),
        (["a", "a", "b", "b"], "but there are 2 groups"),
    ],
)
def test_there_must_be_one_for_each_fold(groups, told):
    with pytest.raises(DataError, match=told):
        fold_codes(np.zeros(4, dtype=np.int64), groups, 5, 1, 0)
