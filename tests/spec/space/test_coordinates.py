"""Where a strategy lies in a space: drawing it and asking for its place are inverse."""

import random
from typing import Any

import pytest

from graft.spec.base import kind_of, spec_types
from graft.spec.components.initialisation import Reinitialise
from graft.spec.components.optimizer import Sgd
from graft.spec.components.penalty import L2, L2SP, NoPenalty
from graft.spec.space.distributions import Choice, Distribution
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

WIDE: dict[str, Any] = {
    "backbone": {"choice": ["a", "b"]},
    "freeze": {"choice": [0.0, 0.5, {"uniform": [0.6, 0.9]}]},
    "init": {
        "choice": [
            "pretrained",
            {"kind": "reinitialise", "blocks": {"randint": [1, 3]}},
            {"kind": "mapped", "source": "a"},
            {"kind": "mapped", "source": "b", "min_coverage": {"uniform": [0.1, 0.4]}, "version": "models:/b/3"},
        ]
    },
    "structure": {
        "choice": [
            {"keep": {"choice": [0.4, 0.5]}, "skip": {"choice": ["none", {"kind": "at", "depths": [0.2]}]}},
            {"keep": 1.0, "widen": {"uniform": [1.5, 2.0]}},
        ]
    },
    "backbone_dropout": {"uniform": [0.1, 0.3]},
    "penalty": {
        "choice": [
            "none",
            "l2",
            {"kind": "l2", "strength": {"loguniform": [0.1, 1]}},
            {"kind": "l2_sp", "strength": {"uniform": [0.1, 0.2]}, "head_strength": {"choice": [0.0, 0.3]}},
        ]
    },
    "optimizer": {"kind": "sgd", "momentum": {"uniform": [0, 0.9]}, "nesterov": {"choice": [True, False]}},
    "lr": {"loguniform": [1e-4, 1e-1]},
    "batch_size": {"randint": [8, 64]},
    "precision": {"choice": ["fp32", "bf16"]},
}


def drawn(space: StrategySpace, seed: int) -> tuple[Strategy, dict[str, Any]]:
    """A random strategy, and what was picked for it."""
    rng, picked = random.Random(seed), {}

    def pick(key: str, distribution: Distribution) -> Any:
        value = distribution.sample(rng)
        picked[key] = distribution.options.index(value) if isinstance(distribution, Choice) else value
        return value

    return space.build(pick), picked


def test_the_place_of_a_drawn_strategy_is_what_was_picked() -> None:
    space = StrategySpace.parse(WIDE)
    for seed in range(300):
        strategy, picked = drawn(space, seed)
        assert space.coordinates(strategy) == picked


@pytest.mark.parametrize("name", ["init", "penalty", "head", "loss", "augment", "mix", "select", "tune", "unfreeze"])
def test_every_kind_of_component_has_a_place(name: str) -> None:
    kinds = [kind for spec in spec_types(Strategy.model_fields[name].annotation) if (kind := kind_of(spec))]
    space = StrategySpace.parse({name: {"choice": kinds}})
    for index, kind in enumerate(kinds):
        assert space.coordinates(Strategy.model_validate({name: kind})) == {name: index}, kind


def test_keys_of_places_are_those_of_distributions() -> None:
    space = StrategySpace.parse(WIDE)
    keys = {key for seed in range(300) for key in space.coordinates(drawn(space, seed)[0])}
    assert keys == set(space.distributions())


def test_a_space_of_one_has_no_coordinates() -> None:
    strategy = Strategy(penalty=L2SP(strength=0.3))
    assert StrategySpace.parse(strategy).coordinates(strategy) == {}


@pytest.mark.parametrize(
    ("raw", "strategy", "expected"),
    [
        ({"freeze": {"choice": [0.1, 0.45, 0.9]}}, Strategy(freeze=0.5), {"freeze": 1}),
        ({"freeze": {"uniform": [0.1, 0.9]}}, Strategy(freeze=1.0, init=Reinitialise()), {"freeze": 0.9}),
        (
            {"init": {"kind": "reinitialise", "blocks": {"randint": [3, 9]}}},
            Strategy(init=Reinitialise(blocks=2)),
            {"init.reinitialise.blocks": 3},
        ),
        ({"penalty": {"choice": ["l1", "l2_sp"]}}, Strategy(penalty=NoPenalty()), {}),
        ({"penalty": {"kind": "l2_sp", "strength": {"uniform": [0.1, 1]}}}, Strategy(penalty=NoPenalty()), {}),
        ({"penalty": {"choice": ["none", "l2"]}}, Strategy(penalty=L2(strength=0.7)), {"penalty": 1}),
        (
            {"optimizer": {"kind": "sgd", "nesterov": {"choice": [True]}}},
            Strategy(optimizer=Sgd(momentum=0.0, nesterov=False)),
            {},
        ),
    ],
    ids=[
        "option",
        "bound",
        "whole number",
        "no such option",
        "other kind",
        "nearest of the kind",
        "truth is no number",
    ],
)
def test_what_the_canonical_form_moved_is_at_the_nearest_place(
    raw: dict[str, Any], strategy: Strategy, expected: dict[str, float]
) -> None:
    assert StrategySpace.parse(raw).coordinates(strategy) == expected


RATES = {
    "fixed factor": ({"lr": {"loguniform": [1e-4, 1e-2]}, "head_lr_factor": 10.0}, 2e-3, 10.0),
    "fixed rate": ({"lr": 1e-3, "head_lr_factor": {"loguniform": [2, 100]}}, 1e-3, 37.0),
    "choices": ({"lr": {"choice": [0.1, 0.2]}, "head_lr_factor": {"choice": [5.0, 7.0]}}, 0.2, 7.0),
    "ranges": ({"lr": {"uniform": [0.1, 0.2]}, "head_lr_factor": {"uniform": [3, 4]}}, 0.15, 3.5),
    "factor of 1": ({"lr": {"uniform": [0.1, 0.2]}, "head_lr_factor": {"choice": [1.0, 2.0]}}, 0.15, 1.0),
}


@pytest.mark.parametrize(("raw", "lr", "factor"), RATES.values(), ids=RATES)
def test_both_rates_of_a_linear_probe_are_found_again(raw: dict[str, Any], lr: float, factor: float) -> None:
    space = StrategySpace.parse({**raw, "freeze": 1.0})
    canonical = Strategy(freeze=1.0, lr=lr, head_lr_factor=factor).canonical()
    assert canonical.head_lr_factor == 1

    at = space.coordinates(canonical)

    values = {key: distribution_value(space, key, place) for key, place in at.items()}
    found = values.get("lr", lr) * values.get("head_lr_factor", factor)
    assert found == pytest.approx(lr * factor)


def distribution_value(space: StrategySpace, key: str, place: float) -> float:
    distribution = space.distributions()[key]
    return distribution.options[int(place)].value if isinstance(distribution, Choice) else place


def test_only_linear_probes_have_their_rates_undone() -> None:
    space = StrategySpace.parse({"lr": {"uniform": [1e-3, 1e-2]}, "head_lr_factor": 10.0, "freeze": 0.5})
    assert space.coordinates(Strategy(freeze=0.5, lr=0.01)) == {"lr": 0.01}
