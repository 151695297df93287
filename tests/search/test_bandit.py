import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.search.bandit import MIN_ROWS, RESAMPLE, Bandit, Gain
from graft.search.perturb import perturb
from graft.spec.space.mutation import mutated_keys
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

LR = StrategySpace.parse({"lr": {"loguniform": [1e-5, 1.0]}})
Vary = Callable[[Strategy, int, Sequence[Gain], Sequence[Strategy], random.Random], tuple[Strategy, dict[str, Any]]]


def bandit(space: StrategySpace, interval: int = 1) -> Bandit:
    return Bandit(space, mutated_keys(space, None), interval)


def gains(space: StrategySpace, count: int, value: Callable[[Strategy], float] = lambda one: one.lr) -> list[Gain]:
    rng = random.Random(1)
    drawn = [space.sample(rng) for _ in range(count)]
    return [Gain(1 + place // 4, one, value(one)) for place, one in enumerate(drawn)]


def test_few_gains_are_no_reason_to_leave_random_variations() -> None:
    few = gains(LR, MIN_ROWS - 1)

    chosen, changes = bandit(LR).choose(Strategy(lr=0.01), 2, few, (), random.Random(0))

    assert chosen == perturb(LR, Strategy(lr=0.01), ("lr",), random.Random(0), RESAMPLE)[0]
    assert changes == {"lr": (0.01, chosen.lr)}


def test_equal_seeds_choose_equally() -> None:
    known = gains(LR, 12)

    chosen = [bandit(LR).choose(Strategy(), 3, known, (Strategy(lr=0.1),), random.Random(5)) for _ in range(2)]

    assert chosen[0] == chosen[1]


def test_it_goes_where_gains_were_high() -> None:
    known = gains(LR, 24, lambda one: -abs(math.log10(one.lr) + 2))

    chosen, _ = bandit(LR).choose(Strategy(lr=1e-5), 6, known, (), random.Random(0))

    assert 10**-2.7 < chosen.lr < 10**-1.3


def test_a_point_that_is_chosen_already_is_not_chosen_again() -> None:
    known = gains(LR, 6, lambda one: 0.0)
    first, _ = bandit(LR).choose(Strategy(), 2, known, (), random.Random(0))

    second, _ = bandit(LR).choose(Strategy(), 2, known, (first, first, first), random.Random(0))

    assert abs(math.log10(second.lr) - math.log10(first.lr)) > 0.5


def test_a_gain_that_is_not_finite_is_left_out() -> None:
    known = [*gains(LR, 8), Gain(2, Strategy(lr=1.0), -math.inf)]

    assert bandit(LR).choose(Strategy(), 3, known, (), random.Random(0)) == bandit(LR).choose(
        Strategy(), 3, known[:-1], (), random.Random(0)
    )


MIXED = StrategySpace.parse(
    {
        "lr": {"loguniform": [1e-4, 1e-1]},
        "weight_decay": {"uniform": [0.0, 0.5]},
        "head_lr_factor": {"randint": [1, 10]},
        "penalty": {"choice": ["none", {"kind": "l2", "strength": {"loguniform": [1e-5, 1e-2]}}]},
        "freeze": {"choice": [0.0, 0.5]},
    }
)


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.integers(0, 20))
def test_what_is_chosen_is_inside_the_space(seed: int, count: int) -> None:
    rng = random.Random(seed)
    known = gains(MIXED, count)

    chosen, changes = bandit(MIXED).choose(MIXED.sample(rng), 4, known, [MIXED.sample(rng)], rng)

    assert 1e-4 <= chosen.lr <= 1e-1
    assert 0.0 <= chosen.weight_decay <= 0.5
    assert chosen.head_lr_factor in range(1, 11)
    assert chosen.freeze in (0.0, 0.5)
    assert chosen.penalty.kind == "none" or 1e-5 <= chosen.penalty.strength <= 1e-2  # type: ignore[union-attr]
    assert all(chosen.flat().get(key) == new for key, (_, new) in changes.items())


def test_a_number_of_an_option_hardly_tried_is_varied_at_random_while_the_others_are_learnt() -> None:
    known = gains(LR, 12, lambda one: -abs(math.log10(one.lr) + 2))
    space = StrategySpace.parse(
        {"lr": LR.dump()["lr"], "penalty": {"choice": ["none", {"kind": "l2", "strength": {"uniform": [0.1, 1.0]}}]}}
    )
    donor = Strategy.model_validate({"lr": 1e-5, "penalty": {"kind": "l2", "strength": 0.5}})
    known.append(Gain(3, donor, -3.0))

    seeds = [random.Random(seed) for seed in range(6)]
    chosen = [bandit(space).choose(donor, 4, known, (), rng)[0] for rng in seeds]

    assert all(10**-3 < one.lr < 10**-1 for one in chosen)
    assert {one.penalty.strength for one in chosen if one.penalty.kind == "l2"} & {0.5 * 1.2, 0.5 * 0.8}  # type: ignore[union-attr]


def drifting(vary: Vary, seed: int, generations: int = 12, members: int = 4) -> float:
    """The best sum of gains when the best lr of each generation falls from 0.03 to 0.0001 and the others gain less."""
    rng = random.Random(seed)
    population = [[0.0, LR.sample(rng)] for _ in range(members)]
    known: list[Gain] = []
    for generation in range(1, generations + 1):
        best = -1.5 - 2.5 * generation / generations
        for member in population:
            gain = math.exp(-((math.log10(member[1].lr) - best) ** 2)) + rng.gauss(0, 0.02)
            member[0] += gain
            if generation > 1:
                known.append(Gain(generation, member[1], gain))
        population.sort(key=lambda member: -member[0])
        others = [member[1] for member in population[:-1]]
        population[-1] = [population[0][0], vary(population[0][1], generation, known, others, rng)[0]]
    return max(member[0] for member in population)


def test_on_a_drifting_objective_it_finds_more_than_random_variations() -> None:
    learning = [drifting(bandit(LR).choose, seed) for seed in range(5)]
    at_random = [drifting(lambda one, *_: perturb(LR, one, ("lr",), _[-1], RESAMPLE), seed) for seed in range(5)]

    assert sum(learning) / 5 > sum(at_random) / 5 + 1


@pytest.mark.parametrize("interval", [1, 3])
def test_time_counts_in_intervals(interval: int) -> None:
    known = [Gain(gain.epoch * interval, gain.strategy, gain.value) for gain in gains(LR, 12)]
    once = bandit(LR).choose(Strategy(), 4, gains(LR, 12), (), random.Random(0))

    assert bandit(LR, interval).choose(Strategy(), 4 * interval, known, (), random.Random(0)) == once
