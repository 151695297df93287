import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.search.perturb import changes_between, described, perturb
from graft.spec.components.penalty import L2
from graft.spec.space.distributions import Choice
from graft.spec.space.mutation import mutated_keys
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

WIDE = StrategySpace.parse(
    {
        "backbone": {"choice": ["efficientnet_lite0", "efficientnet_lite1"]},
        "freeze": {"choice": [1.0, 0.75, 0.5, 0.0]},
        "penalty": {
            "choice": [
                "none",
                {"kind": "l2", "strength": {"loguniform": [1e-5, 1e-2]}},
                {"kind": "l2_sp", "strength": {"loguniform": [1e-4, 1e-1]}, "head_strength": {"uniform": [0.0, 0.5]}},
            ]
        },
        "head": {"choice": [{"kind": "linear", "dropout": {"uniform": [0.0, 0.5]}}, {"kind": "mlp", "width": 64}]},
        "loss": {"kind": "cross_entropy", "label_smoothing": {"uniform": [0.0, 0.2]}},
        "optimizer": {"choice": ["adamw", {"kind": "sgd", "momentum": {"choice": [0.0, 0.8, 0.9]}}]},
        "lr": {"loguniform": [1e-4, 1e-1]},
        "head_lr_factor": {"uniform": [1.0, 10.0]},
        "weight_decay": {"choice": [0.0, {"uniform": [0.01, 0.1]}]},
        "augment": {
            "choice": [
                "none",
                {"kind": "light", "magnitude": {"uniform": [0.1, 1.0]}, "share": {"choice": [0.25, 0.5, 1.0]}},
            ]
        },
    }
)
KEYS = mutated_keys(WIDE, None)
UNTOUCHED = ("backbone", "head", "head.width", "optimizer", "resolution", "batch_size", "schedule", "precision")


def parsed(**strategy: Any) -> StrategySpace:
    return StrategySpace.parse(strategy)


def vary(space: StrategySpace, strategy: Strategy, seed: int = 0, resample: float = 0.0) -> Strategy:
    return perturb(space, strategy, mutated_keys(space, None), random.Random(seed), resample)[0]


def assert_inside(space: StrategySpace, strategy: Strategy) -> None:
    """Building it anew from where it lies in the space gives the same strategy."""
    at = space.coordinates(strategy)
    rebuilt = space.build(lambda key, one: one.options[int(at[key])] if isinstance(one, Choice) else at[key])
    assert rebuilt == strategy


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.25, 1.0]))
def test_a_variation_is_inside_the_space_and_equal_outside_its_keys(seed: int, resample: float) -> None:
    rng = random.Random(seed)
    donor = WIDE.sample(rng)

    varied, changes = perturb(WIDE, donor, KEYS, rng, resample)

    assert varied != donor
    assert_inside(WIDE, varied)
    assert Strategy.model_validate(varied.model_dump()) == varied
    assert varied.architecture() == donor.architecture()
    assert {key: varied.flat().get(key) for key in UNTOUCHED} == {key: donor.flat().get(key) for key in UNTOUCHED}
    assert changes == changes_between(donor, varied)
    assert all(donor.flat().get(key) == old and varied.flat().get(key) == new for key, (old, new) in changes.items())


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.sets(st.sampled_from(KEYS), min_size=1))
def test_only_the_given_keys_change(seed: int, keys: set[str]) -> None:
    rng = random.Random(seed)
    chosen = sorted(keys)

    _, changes = perturb(WIDE, WIDE.sample(rng), chosen, rng, 0.5)

    assert {name.split(".")[0] for name in changes} <= {key.split(".")[0].split("[")[0] for key in chosen}


def test_equal_seeds_vary_equally_and_others_differently() -> None:
    donor = WIDE.sample(random.Random(0))

    assert vary(WIDE, donor, seed=3) == vary(WIDE, donor, seed=3)
    assert len({vary(WIDE, donor, seed=seed).key() for seed in range(10)}) > 5


def test_a_number_is_multiplied_by_one_factor_or_the_other() -> None:
    space = parsed(lr={"loguniform": [1e-4, 1e-1]})

    values = {vary(space, Strategy(lr=0.01), seed).lr for seed in range(20)}

    assert values == {0.01 * 1.2, 0.01 * 0.8}


@pytest.mark.parametrize(("at", "beyond"), [(0.1, 0.12), (1e-4, 8e-5)])
def test_a_number_on_its_bound_moves_inward_rather_than_not_at_all(at: float, beyond: float) -> None:
    space = parsed(lr={"loguniform": [1e-4, 1e-1]})

    values = {vary(space, Strategy(lr=at), seed).lr for seed in range(20)}

    assert beyond not in values
    assert at not in values


def test_a_number_leaves_zero_by_a_step_of_its_range() -> None:
    space = parsed(weight_decay={"uniform": [0.0, 0.5]})

    assert {vary(space, Strategy(weight_decay=0.0), seed).weight_decay for seed in range(20)} == {0.05}


def test_a_whole_number_moves_by_at_least_one() -> None:
    space = parsed(weight_decay={"randint": [0, 1]}, head_lr_factor={"randint": [1, 10]})

    for seed in range(30):
        varied = vary(space, Strategy(weight_decay=0, head_lr_factor=2), seed)
        assert varied.head_lr_factor in (1, 3)
        assert varied.weight_decay in (0, 1)


def test_one_of_ordered_numbers_moves_to_a_neighbour() -> None:
    space = parsed(freeze={"choice": [1.0, 0.0, 0.75, 0.5]})

    assert {vary(space, Strategy(freeze=0.75), seed).freeze for seed in range(20)} == {0.5, 1.0}
    assert {vary(space, Strategy(freeze=0.0), seed).freeze for seed in range(20)} == {0.5}


def test_a_kind_stays_and_its_parameters_vary() -> None:
    space = parsed(penalty={"choice": ["none", "l1", {"kind": "l2", "strength": {"loguniform": [1e-4, 1.0]}}]})

    varied = {vary(space, Strategy(penalty=L2(strength=0.1)), seed).penalty.strength for seed in range(20)}  # type: ignore[union-attr]

    assert varied == {0.1 * 1.2, 0.1 * 0.8}


def test_a_kind_that_is_drawn_anew_brings_drawn_parameters() -> None:
    space = parsed(penalty={"choice": ["none", {"kind": "l2", "strength": {"uniform": [0.2, 0.4]}}]})
    donor = Strategy(penalty="none")  # type: ignore[arg-type]

    varied = [perturb(space, donor, mutated_keys(space, None), random.Random(seed), 1.0) for seed in range(20)]

    assert {strategy.penalty.kind for strategy, _ in varied} == {"l2"}
    assert all(0.2 <= strategy.penalty.strength <= 0.4 for strategy, _ in varied)  # type: ignore[union-attr]
    strategy, changes = varied[0]
    assert changes == {"penalty": ("none", "l2"), "penalty.strength": (None, strategy.penalty.strength)}  # type: ignore[union-attr]


def test_something_changes_even_if_only_a_kind_could() -> None:
    space = parsed(penalty={"choice": ["none", "l2"]}, freeze={"choice": [0.5]})

    assert {vary(space, Strategy(freeze=0.5), seed).penalty.kind for seed in range(10)} == {"l2"}


def test_nothing_changes_where_nothing_can() -> None:
    space = parsed(freeze={"choice": [0.5]})

    strategy, changes = perturb(space, Strategy(freeze=0.5), ("freeze",), random.Random(0), 0.5)

    assert (strategy, changes) == (Strategy(freeze=0.5), {})


def test_an_option_is_told_from_another_of_its_kind_by_its_parameters() -> None:
    options = [{"kind": "l2", "strength": 0.5}, {"kind": "l2", "strength": {"uniform": [0.1, 0.2]}}]
    space = parsed(penalty={"choice": options})
    keys = tuple(space.distributions())

    varied, _ = perturb(space, Strategy(penalty=L2(strength=0.15)), keys, random.Random(0), 0.0)

    assert varied.penalty.strength in (pytest.approx(0.18), pytest.approx(0.12))  # type: ignore[union-attr]


def test_what_the_canonical_form_carried_out_of_the_space_is_brought_back() -> None:
    space = parsed(
        freeze={"choice": [0.5, 1.0]},
        penalty={"choice": [{"kind": "l2_sp", "strength": {"uniform": [0.1, 0.2]}}]},
        lr={"loguniform": [1e-3, 1e-2]},
        head_lr_factor=10.0,
    )
    drawn = Strategy.model_validate({"freeze": 1.0, "lr": 5e-3, "head_lr_factor": 10.0, "penalty": "l2_sp"})
    donor = drawn.canonical()
    assert (donor.penalty.kind, donor.lr, donor.head_lr_factor) == ("l2", pytest.approx(0.05), 1.0)

    varied = vary(space, donor)

    assert varied.penalty.kind == "l2_sp"
    assert (varied.lr, varied.head_lr_factor) in ((pytest.approx(6e-3), 10.0), (pytest.approx(4e-3), 10.0))


def test_what_the_canonical_form_has_snapped_stays_where_it_may_not_change() -> None:
    space = parsed(freeze={"choice": [0.3, 0.74]}, lr={"loguniform": [1e-3, 1e-2]})
    donor = Strategy(freeze=0.74, lr=5e-3).canonical(4)

    varied, changes = perturb(space, donor, ("lr",), random.Random(0), 0.0)

    assert varied.freeze == 0.75
    assert list(changes) == ["lr"]


def test_the_share_of_values_drawn_anew_is_as_asked() -> None:
    space = parsed(lr={"loguniform": [1e-6, 1.0]})

    anew = sum(vary(space, Strategy(lr=1e-3), seed, resample=0.25).lr not in (1.2e-3, 8e-4) for seed in range(400))

    assert 70 <= anew <= 130


def test_changes_read_as_a_sentence() -> None:
    changes = {"lr": (0.01, 0.01 * 1.2), "penalty": ("l2", "none"), "penalty.strength": (0.001, None)}

    assert described(changes) == "lr 0.01 -> 0.012, penalty l2 -> none, penalty.strength 0.001 -> unused"
    assert described({}) == "nothing changes"
    assert math.isclose(changes["lr"][1], 0.012)
