"""How long a training is follows from the steps it takes, and from the time there is."""

import json

import pytest

from graft.spec.defaults.length import batch_sizes, seconds_of
from graft.spec.defaults.scale import Length, Scale
from graft.spec.load import parse_job


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"),
    [(446, 64, 30), (446, 32, 29), (1600, 32, 8), (5000, 32, 4), (50_000, 64, 4), (10, 64, 30)],
)
def test_so_many_steps_at_least_and_so_many_epochs_at_most(rows: int, batch: int, epochs: int) -> None:
    scale = Scale(rows, rows // 4)
    assert scale.epochs(batch, Length(), seconds=0.02) == epochs
    assert scale.epochs(batch, Length(least_steps=100, most_epochs=10), seconds=0.02) <= 10


@pytest.mark.parametrize(("minutes", "epochs"), [(None, 29), (15, 29), (5, 15), (1, 1), (0.1, 1)])
def test_fewer_where_there_is_no_time(minutes: float | None, epochs: int) -> None:
    # 446 and the fit's 557, which is half as dear: 817 samples an epoch, of 17.7 ms each.
    assert Scale(446, 111, minutes).epochs(32, Length(), seconds=0.0177) == epochs
    assert Scale(446, 111, minutes).epochs(32, Length(), seconds=0.0) == 29, "nobody knows what it costs"
    assert Scale(446, 111, minutes, gpus=1).epochs(32, Length(), seconds=0.0177) >= epochs


def test_trials_are_compared_when_the_largest_batch_has_taken_sixty_steps() -> None:
    assert Scale(446, 111).first_rung([32, 64], epochs=30) == 9
    assert Scale(446, 111).first_rung([32], epochs=30) == 5
    assert Scale(446, 111).first_rung([32], epochs=3) == 3, "all epochs, so nobody is compared before"
    assert Scale(50_000, 1).first_rung([32], epochs=4) == 1


def test_heads_that_are_solved_take_no_epochs_from_what_is_trained() -> None:
    job = parse_job({"name": "x", "data": "digits", "strategy": {"resolution": 64, "batch_size": 32}})
    solved = {"freeze": 1.0, "head": "ridge", "resolution": 160, "batch_size": 512}
    tried = parse_job(job, [f"search.first={json.dumps([solved])}"])
    assert (seconds_of(tried), batch_sizes(tried)) == (seconds_of(job), [32])
    trained = parse_job(job, [f"search.first={json.dumps([{'resolution': 128}])}"])
    assert seconds_of(trained) == 4 * seconds_of(job)
