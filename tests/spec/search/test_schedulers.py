"""Every scheduler can be named, with and without its parameters."""

from typing import Any, get_args

import pytest

from graft.core.errors import SpecError
from graft.search.schedulers.build import SCHEDULERS
from graft.spec.base import kind_of
from graft.spec.load import parse_job
from graft.spec.search.schedulers import Asha, HyperBand, Median, NoScheduler, OneEpochTopK, Pb2, Pbt, Scheduler

GIVEN = {
    "none": ({}, NoScheduler()),
    "asha": ({"grace_epochs": 2, "reduction_factor": 4}, Asha(grace_epochs=2, reduction_factor=4)),
    "hyperband": ({"reduction_factor": 2}, HyperBand(reduction_factor=2)),
    "median": ({"grace_epochs": 2, "min_trials": 1}, Median(grace_epochs=2, min_trials=1)),
    "one_epoch_top_k": ({"keep": 2, "epochs": 3}, OneEpochTopK(keep=2, epochs=3)),
    "pbt": (
        {"interval": 2, "quantile": 0.5, "resample": 0, "mutate": ["lr"]},
        Pbt(interval=2, quantile=0.5, resample=0, mutate=["lr"]),
    ),
    "pb2": ({"interval": 3, "quantile": 0.1, "mutate": ["lr"]}, Pb2(interval=3, quantile=0.1, mutate=["lr"])),
}


def scheduler_of(raw: Any) -> Any:
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    return parse_job({"name": "x", "data": "digits", "strategy": space, "search": {"scheduler": raw}}).search.scheduler


def test_every_kind_is_tested_here_and_has_a_scheduler_behind_it() -> None:
    kinds = [kind_of(spec) for spec in get_args(get_args(Scheduler)[0])]
    assert sorted(kinds) == sorted(GIVEN) == sorted(SCHEDULERS.names())


@pytest.mark.parametrize("kind", GIVEN)
def test_a_bare_name_is_the_scheduler_with_its_defaults(kind: str) -> None:
    assert scheduler_of(kind) == scheduler_of({"kind": kind}) == type(GIVEN[kind][1])()


@pytest.mark.parametrize("kind", GIVEN)
def test_its_parameters_can_be_given(kind: str) -> None:
    parameters, expected = GIVEN[kind]
    assert scheduler_of({"kind": kind, **parameters}) == expected


def test_the_defaults_are_those_of_the_papers() -> None:
    assert (Asha().grace_epochs, Asha().reduction_factor, HyperBand().reduction_factor) == (1, 3, 3)
    assert (Pbt().interval, Pbt().quantile, Pbt().resample, Pbt().mutate) == (1, 0.25, 0.25, None)
    assert (OneEpochTopK().keep, OneEpochTopK().epochs) == (3, 1)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"kind": "asha", "reduction_factor": 1}, "search.scheduler.reduction_factor: is 1, but must be between 2 and"),
        ({"kind": "median", "min_trials": 0}, "search.scheduler.min_trials: is 0, but must be between 1 and 1000"),
        ({"kind": "one_epoch_top_k", "keep": 0}, "search.scheduler.keep: is 0, but must be between 1 and 10000"),
        ({"kind": "pbt", "interval": 0}, "search.scheduler.interval: is 0, but must be between 1 and 1000"),
        ({"kind": "pbt", "quantile": 0.6}, "search.scheduler.quantile: is 0.6, but must be > 0 and <= 0.5"),
        ({"kind": "pb2", "quantile": 0}, "search.scheduler.quantile: is 0, but must be > 0 and <= 0.5"),
        ({"kind": "pbt", "resample": 1.5}, "search.scheduler.resample: is 1.5, but must be between 0 and 1"),
        ({"kind": "pb2", "resample": 0.5}, "search.scheduler.resample: is not a key of search.scheduler of kind pb2"),
        ({"kind": "pbt", "mutate": "lr"}, "search.scheduler.mutate: is the text 'lr', but must be a list"),
        ({"kind": "pbt", "mutate": []}, "search.scheduler.mutate: has 0 items, but must have at least 1"),
        ("pbtt", "search.scheduler: is `pbtt`, but must be one of none, asha, hyperband, median, one_epoch_top_k"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(raw: Any, expected: str) -> None:
    with pytest.raises(SpecError) as caught:
        scheduler_of(raw)
    assert len(caught.value.problems) == 1
    assert str(caught.value.problems[0]).startswith(expected)
