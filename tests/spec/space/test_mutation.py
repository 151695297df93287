"""What may change while a model is trained, and what must not."""

from typing import Any

import pytest

from graft.spec.search.schedulers import Pb2, Pbt
from graft.spec.space.mutation import (
    MUTABLE,
    architectures,
    is_mutable,
    mutated_keys,
    mutation_findings,
    population_finding,
)
from graft.spec.space.space import StrategySpace

EVERYTHING = StrategySpace.parse(
    {
        "backbone": {"choice": ["a", "b"]},
        "init": {"choice": ["pretrained", {"kind": "reinitialise", "blocks": {"randint": [1, 3]}}]},
        "freeze": {"choice": [0.0, 0.5]},
        "penalty": {
            "choice": [
                "none",
                {"kind": "l2", "strength": {"loguniform": [1e-5, 1e-3]}},
                {"kind": "l2", "strength": {"loguniform": [1e-3, 1e-1]}},
            ]
        },
        "head": {"kind": "mlp", "width": {"choice": [8, 16]}, "dropout": {"uniform": [0.0, 0.5]}},
        "loss": {"kind": "focal", "gamma": {"uniform": [0.5, 3.0]}},
        "optimizer": {
            "choice": [
                "adamw",
                {"kind": "sgd", "momentum": {"uniform": [0.5, 0.9]}, "nesterov": {"choice": [True, False]}},
            ]
        },
        "lr": {"choice": [1e-3, {"loguniform": [1e-2, 1e-1]}]},
        "head_lr_factor": {"uniform": [1.0, 10.0]},
        "weight_decay": {"uniform": [0.0, 0.1]},
        "schedule": {"choice": ["constant", {"kind": "cosine", "warmup": {"uniform": [0.0, 0.2]}}]},
        "augment": {"kind": "light", "magnitude": {"uniform": [0.1, 1.0]}, "share": {"uniform": [0.1, 1.0]}},
        "mix": {"choice": ["none", {"kind": "mixup", "alpha": {"uniform": [0.1, 1.0]}}]},
        "resolution": {"choice": [32, 64]},
        "batch_size": {"choice": [8, 16]},
        "precision": {"choice": ["fp32", "bf16"]},
    }
)

MAY_CHANGE = {
    "freeze",
    "penalty",
    "penalty[1].l2.strength",
    "penalty[2].l2.strength",
    "head.mlp.dropout",
    "loss.focal.gamma",
    "optimizer.sgd.momentum",
    "lr",
    "lr[1]",
    "head_lr_factor",
    "weight_decay",
    "mix",
    "mix.mixup.alpha",
    "augment.light.magnitude",
    "augment.light.share",
}


def space(**keys: Any) -> StrategySpace:
    return StrategySpace.parse(keys)


def test_all_keys_that_may_change_are_found_in_the_order_of_the_space() -> None:
    keys = mutated_keys(EVERYTHING, None)
    assert set(keys) == MAY_CHANGE
    assert list(keys) == [key for key in EVERYTHING.distributions() if key in MAY_CHANGE]


def test_what_changes_a_shape_or_the_optimiser_may_not() -> None:
    refused = {key for key in EVERYTHING.distributions() if not is_mutable(key)}
    assert refused == set(EVERYTHING.distributions()) - MAY_CHANGE
    assert {"backbone", "head.mlp.width", "optimizer", "batch_size", "resolution", "schedule", "init"} <= refused


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (["lr"], ["lr", "lr[1]"]),
        (["penalty"], ["penalty", "penalty[1].l2.strength", "penalty[2].l2.strength"]),
        (["head.dropout"], ["head.mlp.dropout"]),
        (["momentum"], ["optimizer.sgd.momentum"]),
        (["augment", "freeze"], ["freeze", "augment.light.magnitude", "augment.light.share"]),
    ],
)
def test_a_name_means_all_that_is_below_it(wanted: list[str], expected: list[str]) -> None:
    assert list(mutated_keys(EVERYTHING, wanted)) == expected


def test_every_name_can_be_wanted() -> None:
    assert all(mutated_keys(EVERYTHING, [name]) for name in MUTABLE)
    assert mutation_findings(EVERYTHING, Pbt(), MUTABLE) == []


def test_a_name_that_cannot_change_and_one_that_does_not_vary_are_told_apart() -> None:
    findings = mutation_findings(space(lr={"uniform": [0.1, 0.2]}), Pbt(), ["lr", "batch_size", "freeze", "head"])
    assert [finding.path for finding in findings] == [("mutate", 1), ("mutate", 2), ("mutate", 3)]
    assert "cannot change during training" in findings[0].message
    assert "gives it one value" in findings[1].message
    assert "cannot change during training" in findings[2].message


def test_a_bandit_learns_on_a_range() -> None:
    choices = space(lr={"choice": [0.1, 0.2]}, resolution={"randint": [32, 64]})
    assert mutation_findings(choices, Pbt(), None) == []
    (finding,) = mutation_findings(choices, Pb2(), None)
    assert "needs a range" in finding.message
    assert mutation_findings(space(lr={"uniform": [0.1, 0.2]}), Pb2(), None) == []
    # a range that it may not change is none
    assert mutation_findings(space(lr={"uniform": [0.1, 0.2]}, freeze={"choice": [0, 1]}), Pb2(), ["freeze"])


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, 1),
        ({"backbone": {"choice": ["a", "b", "c"]}}, 3),
        ({"head": "mlp"}, 1),
        ({"head": {"choice": ["linear", "mlp"]}}, 2),
        ({"head": {"kind": "mlp", "width": {"choice": [8, 16]}, "depth": {"choice": [1, 2, 3]}}}, 6),
        ({"head": {"kind": "mlp", "dropout": {"uniform": [0.0, 0.5]}}}, 1),  # no shape of a weight
        ({"head": {"choice": ["linear", {"kind": "mlp", "width": {"choice": [8, 16]}}]}}, 3),
        ({"backbone": {"choice": ["a", "b"]}, "head": {"choice": ["linear", "mlp"]}}, 4),
        ({"head": {"kind": "mlp", "width": {"randint": [8, 16]}}}, None),
        ({"head": {"choice": ["linear", {"kind": "mlp", "width": {"randint": [8, 16]}}]}}, None),
    ],
)
def test_architectures_are_backbones_times_shapes_of_the_head(keys: dict[str, Any], expected: int | None) -> None:
    assert architectures(space(**keys)) == expected


@pytest.mark.parametrize(("population", "fits"), [(2, False), (3, False), (4, True), (9, True)])
def test_an_architecture_needs_two_to_copy(population: int, fits: bool) -> None:
    finding = population_finding(space(backbone={"choice": ["a", "b"]}), population, ("search", "population"))
    assert (finding is None) is fits
    if finding:
        assert finding.path == ("search", "population")
        assert "it must be >= 4" in finding.message


def test_no_population_is_large_enough_for_shapes_without_end() -> None:
    finding = population_finding(space(head={"kind": "mlp", "width": {"randint": [8, 9]}}), 1000, ())
    assert finding is not None
    assert "draws its shape from a range" in finding.message
