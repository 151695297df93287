import math

import numpy as np
import pytest

from graft.search.importance import MIN_TRIALS, TriedStrategy, strategy_importance


def tried(count: int, seed: int = 0, noise: float = 0.0) -> list[TriedStrategy]:
    """The score depends on the frozen share and a little on the penalty, not on the learning rate."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        freeze, lr, kind = rng.uniform(), rng.uniform(1e-4, 1e-2), rng.choice(["none", "l2"])
        penalty = {"kind": str(kind)} | ({"strength": float(rng.uniform())} if kind == "l2" else {})
        score = 0.9 - 0.5 * freeze + 0.05 * (kind == "l2") + noise * rng.normal()
        found.append(TriedStrategy({"freeze": freeze, "lr": lr, "penalty": penalty, "resolution": 32}, {1: score}))
    return found


@pytest.mark.parametrize("maximise", [True, False])
def test_the_field_that_the_score_depends_on_stands_first(maximise: bool) -> None:
    found = strategy_importance(tried(40), maximise)
    assert next(iter(found.shares)) == "freeze"
    assert found.shares["freeze"] > 0.7
    assert sum(found.shares.values()) == pytest.approx(1)
    assert set(found.shares) == {"freeze", "lr", "penalty"}, "what does not vary has no importance"
    assert found.explained is not None
    assert 0.5 < found.explained <= 1
    assert found.note.startswith("freeze ")
    assert "40 trials at epoch 1" in found.note


def test_a_component_is_one_field_with_its_parameters() -> None:
    strategies = [
        TriedStrategy({"penalty": {"kind": "l2", "strength": value}, "lr": lr}, {1: value})
        for value, lr in np.random.default_rng(0).uniform(size=(30, 2))
    ]
    found = strategy_importance(strategies, maximise=True)
    assert found.shares["penalty"] > 0.9


def test_noise_is_called_noise() -> None:
    rng = np.random.default_rng(1)
    noise = [TriedStrategy(one.strategy, {1: rng.normal()}) for one in tried(24)]
    found = strategy_importance(noise, maximise=True)
    assert found.shares == {}
    assert found.explained is not None
    assert found.explained <= 0
    assert found.note.startswith("nothing stands out")


def test_few_trials_say_nothing() -> None:
    found = strategy_importance(tried(MIN_TRIALS - 1), maximise=True)
    assert (found.shares, found.explained, found.trials) == ({}, None, MIN_TRIALS - 1)
    assert "at least 8 are needed" in found.note


def test_trials_without_a_finite_score_do_not_count() -> None:
    broken = [TriedStrategy({"lr": 1.0}, {1: math.nan}), TriedStrategy({"lr": 1.0}, {})]
    assert strategy_importance(tried(7) + broken, maximise=True).trials == 7


def test_trials_are_compared_at_an_equal_age() -> None:
    """Half of the trials go on to epoch 9 and get better there, which has nothing to do with their strategy."""
    grown = [TriedStrategy(one.strategy, {**one.scores, 9: 5.0} if number < 10 else one.scores)
             for number, one in enumerate(tried(24))]  # fmt: skip
    found = strategy_importance(grown, maximise=True)
    assert (found.epoch, found.trials) == (1, 24)
    late = [TriedStrategy(one.strategy, {**one.scores, 9: 5.0} if number < 12 else one.scores)
            for number, one in enumerate(tried(24))]  # fmt: skip
    assert strategy_importance(late, maximise=True).epoch == 9


def test_the_same_seed_gives_the_same_answer() -> None:
    assert strategy_importance(tried(20, noise=0.1), True, 3) == strategy_importance(tried(20, noise=0.1), True, 3)


def test_equal_scores_are_no_basis() -> None:
    equal = [TriedStrategy(one.strategy, {1: 0.5}) for one in tried(12)]
    assert strategy_importance(equal, maximise=True).shares == {}
