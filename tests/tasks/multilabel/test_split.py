from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.core.errors import DataError
from graft.data.split import UNASSIGNED, Split
from graft.tasks.multilabel.split import iterative_stratification, split_by_labels


@dataclass(frozen=True)
class Settings:
    validation: float = 0.2
    test: float = 0.2
    limit: int | None = None
    seed: int = 0


def labels_of(num, shares=(0.5, 0.3, 0.1, 0.03), seed=0):
    return (np.random.default_rng(seed).random((num, len(shares))) < np.array(shares)).astype(np.uint8)


def split(labels, **options):
    return split_by_labels(np.full(len(labels), UNASSIGNED, np.uint8), labels, Settings(**options))


@pytest.mark.parametrize("seed", range(5))
def test_every_label_keeps_its_share_in_every_split(seed):
    labels = labels_of(600, seed=seed)
    codes = split(labels, seed=seed)
    for code, share in zip(Split, (0.6, 0.2, 0.2), strict=True):
        assert abs(int(np.sum(codes == code)) - share * 600) <= 1
        held = labels[codes == code].sum(axis=0)
        np.testing.assert_allclose(held, share * labels.sum(axis=0), atol=2.5)


def test_rare_labels_are_nearer_to_their_share_than_by_chance():
    rng = np.random.default_rng(0)
    mine, chance = [], []
    for seed in range(15):
        labels = labels_of(300, (0.02,) * 20, seed)
        wanted = 0.2 * labels.sum(axis=0)
        mine.append(np.abs(labels[split(labels, seed=seed) == Split.TEST].sum(axis=0) - wanted).mean())
        chance.append(np.abs(labels[rng.permutation(300)[:60]].sum(axis=0) - wanted).mean())
    assert np.mean(mine) < np.mean(chance) / 2


def test_a_label_that_occurs_once_is_for_training():
    labels = np.zeros((100, 2), np.uint8)
    labels[:50, 0], labels[70, 1] = 1, 1
    assert {int(split(labels, seed=seed)[70]) for seed in range(5)} == {int(Split.TRAIN)}


@settings(max_examples=40)
@given(num=st.integers(3, 50), seed=st.integers(0, 99), limit=st.none() | st.integers(2, 50), brings=st.booleans())
def test_any_number_of_rows_is_split(num, seed, limit, brings):
    labels = labels_of(num, seed=seed)
    brought = np.full(num, UNASSIGNED, np.uint8)
    if brings:
        brought[0] = Split.VALIDATION
    codes = split_by_labels(brought, labels, Settings(limit=limit, seed=seed))
    sizes = [int(np.sum(codes == code)) for code in Split]
    assert min(sizes) >= 1
    assert sizes[0] + sizes[1] == min(limit or num, num - sizes[2])


def test_parts_have_the_sizes_asked_for():
    labels = labels_of(97)
    parts = iterative_stratification(labels, np.array([50, 40, 7]), np.random.default_rng(0))
    assert np.bincount(parts).tolist() == [50, 40, 7]


def test_a_limit_keeps_the_shares():
    labels = labels_of(1000)
    codes = split(labels, limit=200)
    kept = labels[(codes == Split.TRAIN) | (codes == Split.VALIDATION)]
    assert len(kept) == 200
    np.testing.assert_allclose(kept.mean(axis=0), labels.mean(axis=0), atol=0.012)


def test_too_few_rows_and_too_low_a_limit():
    with pytest.raises(DataError, match="there are 2 samples to draw splits from, but at least 3 are needed"):
        split(labels_of(2))
    with pytest.raises(DataError, match=r"data\.limit is 1, but training and validation need at least 2"):
        split(labels_of(20), limit=1)
    with pytest.raises(DataError, match="must be left to train on"):
        split(labels_of(20), validation=0.5, test=0.5)
