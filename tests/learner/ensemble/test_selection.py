"""Who is in an ensemble: whoever makes the average better on held-out rows, the winner in any case."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from graft.learner.ensemble.selection import LEAST_SHARE, Library, held_out_shares, select
from graft.tasks.averaging import losses_of


def library(*chances: np.ndarray, seed: int = 0, kinds: tuple[str, ...] = ()) -> Library:
    evidence = np.stack(chances).astype(np.float32)[:, :, None]
    return Library(evidence, partial(losses_of, "softmax"), seed, kinds)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def noisy(rng: np.random.Generator, mean: float = 0.5, rows: int = 200) -> np.ndarray:
    """A model that is right or wrong about each row by itself."""
    return np.clip(rng.normal(mean, 0.25, rows), 0.02, 0.98)


def test_models_that_err_apart_are_averaged(rng: np.random.Generator) -> None:
    found = select(library(*(noisy(rng) for _ in range(4))), most=4)
    assert found.sum() == pytest.approx(1)
    assert (found > 0.1).all()


def test_a_model_that_is_worse_everywhere_is_left_out(rng: np.random.Generator) -> None:
    best = noisy(rng, 0.7)
    assert select(library(best, best * 0.3), most=5).tolist() == [1, 0]


def test_the_first_is_in_even_if_it_is_worse(rng: np.random.Generator) -> None:
    found = select(library(noisy(rng, 0.3), noisy(rng, 0.8), noisy(rng, 0.8)), most=2)
    assert found[0] > 0
    assert np.count_nonzero(found) == 2


@pytest.mark.parametrize("most", [1, 2, 3, 8])
def test_there_are_no_more_than_asked_for(rng: np.random.Generator, most: int) -> None:
    found = select(library(*(noisy(rng) for _ in range(8))), most)
    assert 0 < np.count_nonzero(found) <= most
    assert found[0] > 0
    assert found.sum() == pytest.approx(1)


def test_who_hardly_counts_is_not_asked(rng: np.random.Generator) -> None:
    found = select(library(*(noisy(rng) for _ in range(12))), most=16)
    assert (found[found > 0] >= LEAST_SHARE).all()


class TestFewRows:
    """The measured shares are drawn towards an equal vote of unlike models."""

    KINDS = ("trained", "trained", "solved", "solved")

    @pytest.mark.parametrize(("most", "members"), [(2, [0, 2]), (3, [0, 1, 2]), (4, [0, 1, 2, 3])])
    def test_the_best_of_each_kind_votes_then_the_next(
        self, rng: np.random.Generator, most: int, members: list[int]
    ) -> None:
        alike = [np.clip(rng.normal(0.5, 0.05, 12), 0.02, 0.98) for _ in self.KINDS]
        found = select(library(*alike, kinds=self.KINDS), most)
        assert np.flatnonzero(found).tolist() == members
        assert found[members] == pytest.approx(1 / most, abs=0.1)

    def test_who_is_far_worse_has_no_vote(self, rng: np.random.Generator) -> None:
        best = noisy(rng, 0.8, rows=20)
        found = select(library(best, noisy(rng, 0.8, rows=20), best * 0.1, kinds=self.KINDS[:3]), most=3)
        assert found[2] == 0

    def test_of_many_rows_the_measurement_decides(self, rng: np.random.Generator) -> None:
        strong, weak = np.clip(rng.normal([[0.57], [0.5]], 0.1, (2, 5000)), 0.02, 0.98)
        few, many = (
            select(library(strong[:rows], weak[:rows], kinds=self.KINDS[1:3]), most=2)[1] for rows in (20, 5000)
        )
        assert few > 0.4
        assert many < 0.1


def test_the_same_seed_selects_the_same(rng: np.random.Generator) -> None:
    chances = [noisy(rng) for _ in range(5)]
    assert np.array_equal(select(library(*chances), 3), select(library(*chances), 3))


def test_it_is_the_best_in_hindsight_or_close_to_it(rng: np.random.Generator) -> None:
    """Two models: every weight can be tried."""
    one = library(noisy(rng, 0.6, rows=2000), noisy(rng, 0.5, rows=2000))
    share = select(one, most=2)[1]
    weights = np.linspace(0, 1, 101)
    losses = [float(one.losses((1 - weight) * one.evidence[0] + weight * one.evidence[1]).mean()) for weight in weights]
    found = float(one.losses((1 - share) * one.evidence[0] + share * one.evidence[1]).mean())
    assert found <= min(losses) + 0.25 * (losses[0] - min(losses))


def test_each_row_is_held_out_once(rng: np.random.Generator) -> None:
    one = library(*(noisy(rng, rows=53) for _ in range(4)))
    parts = held_out_shares(one, most=3)
    assert sorted(row for part, _ in parts for row in part.tolist()) == list(range(53))
    assert len({tuple(shares.tolist()) for _, shares in parts}) > 1


def test_what_belongs_together_is_held_out_together(rng: np.random.Generator) -> None:
    kin = np.concatenate([np.zeros(60, dtype=np.int64), 1 + np.arange(140) // 7])
    one = replace(library(*(noisy(rng) for _ in range(3))), kin=kin)
    parts = [part for part, _ in held_out_shares(one, most=3)]
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert sorted(map(len, parts)) == [35, 35, 35, 35, 60]
    assert not any(set(kin[part]) & set(kin[other]) for part in parts for other in parts if part is not other)


def test_shares_of_a_part_do_not_depend_on_its_rows(rng: np.random.Generator) -> None:
    chances = [noisy(rng, rows=50) for _ in range(4)]
    part, shares = held_out_shares(library(*chances), most=3)[0]
    for one in chances:
        one[part] = rng.random(len(part))
    again, changed = held_out_shares(library(*chances), most=3)[0]
    assert np.array_equal(part, again)
    assert np.array_equal(shares, changed)
