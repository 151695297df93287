"""How long a training is follows from the steps it takes, and from the time there is."""

import json
import re
from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.spec.defaults.length import batch_sizes, seconds_of, with_length
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


@pytest.mark.parametrize(
    ("sections", "epochs", "shorten"),
    [
        ({}, 13, True),
        ({"search": {"scheduler": "hyperband"}}, 13, True),
        ({"training": {"shorten": False}}, 5, False),
        ({"search": {"scheduler": "pbt"}}, 5, False),
        ({"search": {"phases": [{"trials": 2}, {"trials": 2, "from": "top"}]}}, 5, False),
    ],
    ids=["asha", "hyperband", "as the job says", "a population", "phases"],
)
def test_only_trainings_that_cannot_become_shorter_are_planned_by_what_a_machine_is_taken_to_do(
    sections: dict[str, Any], epochs: int, shorten: bool
) -> None:
    space = {"resolution": 128, "batch_size": 32, "lr": {"loguniform": [1e-4, 1e-2]}}
    job = parse_job({"name": "x", "data": "digits", "strategy": space, **sections})
    found = with_length(job, Scale(1000, 300, minutes=4))
    assert (found.training.epochs, found.training.shorten) == (epochs, shorten)
    assert with_length(job, Scale(1000, 300)).training.epochs == 13, "without a limit, all that are wanted"
    assert job.training.shorten is sections.get("training", {}).get("shorten"), "nobody has said it"


@pytest.mark.parametrize("search", [{"scheduler": "pbt"}, {"phases": [{"trials": 2}, {"trials": 2, "from": "top"}]}])
def test_what_others_go_on_from_cannot_become_shorter(search: dict[str, Any]) -> None:
    raw = {"name": "x", "data": "digits", "search": search, "training": {"shorten": True}}
    with pytest.raises(SpecError, match=re.escape("training.shorten: is true, but trials of phases")):
        parse_job(raw)
