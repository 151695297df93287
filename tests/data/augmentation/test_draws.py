"""Random numbers that belong to a sample."""

import numpy as np
import pytest

from graft.data.augmentation.draws import Draws

ROWS = np.array([3, 0, 7, 2**40])
GOLDEN = [[0.24779942645972075, 0.3844200287248418], [0.6156327747926386, 0.6996164842601806]]


def of(rows: np.ndarray = ROWS, seed: int = 1, epoch: int = 2) -> Draws:
    return Draws.of_epoch(rows, seed, epoch)


def test_numbers_never_change_between_versions() -> None:
    # Else every resumed or repeated experiment would silently see other samples.
    assert of(np.array([0, 5])).uniform("light", 2).tolist() == GOLDEN


def test_a_row_has_its_numbers_in_any_company() -> None:
    together = of().uniform("a", 5)
    assert together.shape == (5, 4)
    for place, row in enumerate(ROWS):
        assert of(np.array([row])).uniform("a", 5)[:, 0].tolist() == together[:, place].tolist()
    assert of().take(np.array([2, 0])).uniform("a", 5).tolist() == together[:, [2, 0]].tolist()


def test_more_numbers_leave_the_first_as_they_are() -> None:
    assert of().uniform("a", 9)[:3].tolist() == of().uniform("a", 3).tolist()


@pytest.mark.parametrize(
    "other",
    [of(seed=2).uniform("a", 9), of(epoch=3).uniform("a", 9), of().uniform("b", 9), of(ROWS + 1).uniform("a", 9)],
    ids=["seed", "epoch", "purpose", "row"],
)
def test_whatever_differs_has_other_numbers(other: np.ndarray) -> None:
    assert not np.isin(other, of().uniform("a", 9)).any()


def test_a_view_is_no_epoch() -> None:
    assert Draws.of_view(ROWS, 1, 2).uniform("a").tolist() != of().uniform("a").tolist()


def test_numbers_are_even_and_rows_are_unrelated() -> None:
    numbers = of(np.arange(2000)).uniform("a", 50)
    counts, _ = np.histogram(numbers, bins=20, range=(0, 1))
    expected = numbers.size / 20
    assert ((counts - expected) ** 2 / expected).sum() < 45  # chi-squared of 19 degrees: 0.07 % lie above
    assert (numbers >= 0).all()
    assert (numbers < 1).all()
    neighbours = [np.corrcoef(numbers[:, :-1].ravel(), numbers[:, 1:].ravel())[0, 1]]
    neighbours.append(np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1])
    assert np.abs(neighbours).max() < 0.015


def test_nothing_gives_nothing() -> None:
    assert of(np.array([], dtype=np.int64)).uniform("a", 3).shape == (3, 0)
