import numpy as np
import pytest

from graft.data.split import Split
from graft.data.splits.together import keep_together

TRAIN, VALIDATION, TEST = (int(split) for split in Split)
ALL = np.ones(6, dtype=bool)


def together(splits, duplicates, movable=ALL, to_training=False):
    found = keep_together(np.array(splits, dtype=np.uint8), np.array(duplicates), movable, to_training)
    return found.splits.tolist(), found.moved.tolist(), found.leaks.tolist()


def test_duplicates_follow_the_first_of_them():
    splits = [TEST, TRAIN, TRAIN, VALIDATION, TRAIN, TEST]
    assert together(splits, [7, -1, 7, 3, 3, -1]) == (
        [TEST, TRAIN, TEST, VALIDATION, VALIDATION, TEST],
        [2, 4],
        [],
    )


def test_nothing_moves_without_duplicates():
    splits = [TEST, TRAIN, TRAIN, VALIDATION, TRAIN, TEST]
    assert together(splits, [-1] * 6) == (splits, [], [])


def test_with_training_first_no_trained_row_goes_to_the_test():
    splits = [TEST, TRAIN, VALIDATION, TEST, TEST, TRAIN, TEST, TEST]
    assert together(splits, [1, 1, 2, 2, 3, 3, -1, -1], np.ones(8, dtype=bool), to_training=True) == (
        [TRAIN, TRAIN, VALIDATION, VALIDATION, TRAIN, TRAIN, TEST, TEST],
        [0, 3, 4],
        [],
    )


def test_where_all_are_alike_nothing_moves():
    splits = [TEST, TRAIN, TRAIN, VALIDATION, TRAIN, TEST]
    assert together(splits, [1] * 6) == (splits, [], [1])
    assert together(splits, [1] * 6, to_training=True) == (splits, [], [1])


@pytest.mark.parametrize("kinds", [[0, 0, 1, 1, 0, 0, 0], [[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [1, 0], [1, 1]]])
def test_no_split_loses_all_of_a_kind(kinds):
    splits = [TRAIN, TRAIN, TEST, TRAIN, TRAIN, TEST, TEST]
    copies, movable = np.array([1, -1, 2, 2, -1, 1, -1]), np.ones(7, dtype=bool)
    kinds = np.array(kinds, dtype=np.int64 if isinstance(kinds[0], int) else np.uint8)
    found = keep_together(np.array(splits, dtype=np.uint8), copies, movable, False, kinds)
    # Row 3 is all that is trained on of its kind, so it stays; row 5 goes to its copy.
    assert found.splits.tolist() == [TRAIN, TRAIN, TEST, TRAIN, TRAIN, TRAIN, TEST]
    assert (found.moved.tolist(), found.leaks.tolist()) == ([5], [2])


def test_what_the_source_says_stays_and_is_a_leak():
    splits = [TEST, TRAIN, VALIDATION, TRAIN, TRAIN, VALIDATION]
    movable = np.array([False, True, True, True, True, True])
    moved = [TEST, TRAIN, TRAIN, TRAIN, TRAIN, VALIDATION]
    assert together(splits, [5, 5, 5, -1, -1, -1], movable) == (moved, [2], [5])
    assert together(splits, [5, 5, 5, -1, -1, -1], ~ALL) == (splits, [], [5])


def test_shares_stay_as_they_were_drawn():
    rng = np.random.default_rng(0)
    splits = rng.choice(3, 30_000, p=[0.6, 0.2, 0.2]).astype(np.uint8)
    joined = keep_together(splits, np.arange(30_000) // 3, np.ones(30_000, dtype=bool), False).splits
    np.testing.assert_allclose(np.bincount(joined) / 30_000, [0.6, 0.2, 0.2], atol=0.012)
    assert np.all(joined.reshape(-1, 3) == joined.reshape(-1, 3)[:, :1])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="6, 2 and 6 rows"):
        together([0] * 6, [1, 1])
