import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits

from graft.tasks.classification.checks.out_of_fold import out_of_fold_logits
from graft.tasks.classification.checks.suspicious import doubts_of

DIGITS = load_digits()


def flipped(pairs: bool, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(3)
    labels = DIGITS.target.astype(np.int64)
    wrong = draw.random(len(labels)) < share
    other = labels + (1 if pairs else draw.integers(1, 10, len(labels)))
    return np.where(wrong, other % 10, labels), wrong


@pytest.mark.parametrize("pairs", [False, True])
def test_flipped_labels_are_found(pairs: bool) -> None:
    labels, wrong = flipped(pairs)
    doubts = doubts_of(out_of_fold_logits(DIGITS.data, labels), labels)
    found = doubts.suspicious
    assert wrong[found].mean() >= 0.7
    assert wrong[found].sum() / wrong.sum() >= 0.85
    # What they are taken for is what they are.
    right = found[wrong[found]]
    assert (doubts.likely[right] == DIGITS.target[right]).mean() >= 0.9


def test_of_clean_labels_few_are_suspected() -> None:
    labels = DIGITS.target.astype(np.int64)
    doubts = doubts_of(out_of_fold_logits(DIGITS.data, labels), labels)
    assert len(doubts.suspicious) <= 0.01 * len(labels)


def test_sparse_features_and_two_labels() -> None:
    wrong = flipped(pairs=False)[1]
    few = np.isin(DIGITS.target, [0, 1])
    two = np.where(wrong[few], 1 - DIGITS.target[few], DIGITS.target[few]).astype(np.int64)
    logits = out_of_fold_logits(csr_matrix(DIGITS.data[few] / 16), two)
    assert logits.shape == (few.sum(), 2)
    found = doubts_of(logits, two).suspicious
    assert wrong[few][found].mean() >= 0.8


def test_probabilities_are_probabilities() -> None:
    draw = np.random.default_rng(0)
    doubts = doubts_of(draw.normal(size=(200, 4)), draw.integers(0, 4, 200))
    assert ((doubts.probability >= 0) & (doubts.probability <= 1)).all()
    assert doubts.noise.sum(axis=1) == pytest.approx(1)
