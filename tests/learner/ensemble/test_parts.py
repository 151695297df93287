"""Rows that belong together are one sample, not many."""

import numpy as np
import pytest

from graft.learner.ensemble.parts import error_of_mean, parts_of


@pytest.mark.parametrize("kin", [None, np.zeros(23, dtype=np.int64), np.arange(23)], ids=["none", "one", "each"])
def test_rows_without_others_are_dealt_out_alone(kin: np.ndarray | None) -> None:
    parts = parts_of(23, kin, 5, seed=0)
    assert sorted(map(len, parts)) == [4, 4, 5, 5, 5]
    assert sorted(np.concatenate(parts)) == list(range(23))


def test_there_are_no_more_parts_than_groups() -> None:
    assert sorted(tuple(part) for part in parts_of(6, np.array([7, 3, 7, 3, 7, 3]), 5, 0)) == [(0, 2, 4), (1, 3, 5)]


def test_the_error_of_a_mean_is_that_of_what_is_drawn() -> None:
    """Clusters of unlike sizes are drawn again and again: their means differ as one draw says."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, 60)
    kin = np.repeat(np.arange(60), sizes)

    def drawn() -> np.ndarray:
        found: np.ndarray = np.repeat(rng.normal(size=60), sizes) + 0.3 * rng.normal(size=len(kin))
        return found

    seen = np.std([drawn().mean() for _ in range(2000)])
    told = np.mean([error_of_mean(drawn(), kin) for _ in range(200)])
    assert told == pytest.approx(seen, rel=0.1)
    assert np.mean([error_of_mean(drawn(), None) for _ in range(200)]) < 0.6 * seen


def test_without_groups_it_is_the_usual_one() -> None:
    values = np.random.default_rng(0).normal(size=50)
    usual = values.std(ddof=1) / 50**0.5
    for kin in (None, np.arange(50), np.zeros(50, dtype=np.int64)):
        assert error_of_mean(values, kin) == pytest.approx(usual)
