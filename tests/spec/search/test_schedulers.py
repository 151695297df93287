"""Every scheduler can be named, with and without its parameters."""

from typing import Any

import pytest

from graft.core.errors import SpecError
from graft.spec.load import parse_job
from graft.spec.registry import implementation, members
from graft.spec.search.phases import Phase
from graft.spec.search.schedulers import Asha, HyperBand, Median, NoScheduler, OneEpochTopK, Pb2, Pbt, SchedulerSpec

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
    assert sorted(members("scheduler")) == sorted(GIVEN)
    for kind, spec in members("scheduler").items():
        assert callable(implementation(spec.model_validate({"kind": kind})))


@pytest.mark.parametrize("kind", GIVEN)
def test_a_bare_name_is_the_scheduler_with_its_defaults(kind: str) -> None:
    assert scheduler_of(kind) == scheduler_of({"kind": kind}) == type(GIVEN[kind][1])()


@pytest.mark.parametrize("kind", GIVEN)
def test_its_parameters_can_be_given(kind: str) -> None:
    parameters, expected = GIVEN[kind]
    assert scheduler_of({"kind": kind, **parameters}) == expected


def test_the_defaults_are_those_of_the_papers() -> None:
    assert (Asha().grace, Asha().reduction_factor, HyperBand().grace, HyperBand().reduction_factor) == (1, 3, 1, 3)
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


def phase_of(scheduler: Any, epochs: int, trials: int) -> Phase:
    search = {"scheduler": scheduler, "population" if scheduler in ("pbt", "pb2") else "budget": trials}
    if "budget" in search:
        search["budget"] = {"trials": trials}
    space = {"lr": {"loguniform": [1e-4, 1e-1]}}
    raw = {"name": "x", "data": "digits", "strategy": space, "training": {"epochs": epochs}, "search": search}
    return parse_job(raw).phases[0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", None),
        ({"kind": "asha", "grace_epochs": 2}, ("grace_epochs", 2)),
        ("hyperband", None),
        ({"kind": "median", "grace_epochs": 3}, ("grace_epochs", 3)),
        ({"kind": "one_epoch_top_k", "epochs": 4}, ("epochs", 4)),
        ("pbt", None),
        ("pb2", None),
    ],
)
def test_each_says_when_it_compares_for_the_first_time(kind: Any, expected: tuple[str, int] | None) -> None:
    first = scheduler_of(kind).first_comparison()
    assert first == expected
    assert first is None or first[0] in type(scheduler_of(kind)).model_fields, "the key that a message names"


@pytest.mark.parametrize(
    ("kind", "start", "expected"),
    [
        ("none", 0, 9.0),
        ("none", 4, 5.0),
        ("asha", 0, 1 + 2 / 3 + 6 / 9),
        ("asha", 1, 2 + 6 / 3),  # the rung that lies where it begins is behind it
        ("asha", 3, 6.0),
        ({"kind": "asha", "grace_epochs": 9}, 0, 9.0),
        # Brackets of 6, 3 and 1 trials, with rungs at epochs 1 and 3, at 3, and none.
        ("hyperband", 0, (6 * (1 + 2 / 3 + 6 / 9) + 3 * (3 + 6 / 3) + 1 * 9) / 10),
        ("median", 0, 6.75),
        ("median", 1, 6.0),
        ("one_epoch_top_k", 0, 1 + 8 * 3 / 10),
        ({"kind": "one_epoch_top_k", "keep": 99}, 0, 9.0),
        ("pbt", 0, 9.0),
        ("pb2", 3, 6.0),
    ],
)
def test_each_says_how_long_a_trial_is_expected_to_train(kind: Any, start: int, expected: float) -> None:
    phase = phase_of(kind, epochs=9, trials=10)
    assert phase.scheduler.expected_epochs(phase, start) == pytest.approx(expected)


def test_a_scheduler_of_another_package_says_nothing_and_trains_to_the_end() -> None:
    phase = phase_of("none", epochs=7, trials=2)
    assert SchedulerSpec(kind="theirs").first_comparison() is None
    assert SchedulerSpec(kind="theirs").expected_epochs(phase, 2) == 5.0
    assert not SchedulerSpec.is_population_based


def test_the_rungs_of_asha_lie_below_the_last_epoch() -> None:
    assert Asha().rungs(9) == [1, 3]
    assert Asha(grace_epochs=2, reduction_factor=2).rungs(9) == [2, 4, 8]
    assert Asha(grace_epochs=9).rungs(9) == []
