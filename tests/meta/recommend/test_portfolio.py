"""Which candidates of a forecast are tried first."""

import json

import numpy as np
import pytest

from graft.meta.memory.records import HeldMemory, Record
from graft.meta.recommend.advice import Question, prior_for
from graft.meta.recommend.pool import candidate_of
from graft.meta.recommend.portfolio import greedy
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

EVEN = np.full(2, 0.5)
SHARES = [0.0, 0.25, 0.5, 0.75, 1.0]
SPACE = StrategySpace.parse({"freeze": {"choice": SHARES}, "lr": {"choice": [1e-3, 1e-2]}})


def test_the_best_comes_first_whatever_it_costs() -> None:
    draws = np.array([[-2.5, -0.1, -0.4], [-2.5, -0.1, -0.4]])
    assert greedy(draws, EVEN, 3, costs=np.array([0.05, 5.0, 1.0])) == [1, 2, 0]


def test_what_may_beat_the_first_comes_second_the_cheaper_of_equals_before_the_other() -> None:
    draws = np.array([[0.0, 0.2, 0.2, -0.1], [0.0, -0.5, -0.5, -0.1]])
    assert greedy(draws, EVEN, 4, costs=np.array([1.0, 1.0, 0.5, 0.1])) == [0, 2, 3, 1]


def test_nothing_is_chosen_of_nothing() -> None:
    assert greedy(np.zeros((2, 0)), EVEN, 3) == []
    assert greedy(np.zeros((2, 3)), EVEN, 0) == []


def remembered(task: str, tried: list[tuple[float, float, float]]) -> list[Record]:
    """(freeze, value, seconds) of trials at the lower rate."""
    strategies = [Strategy(freeze=freeze, lr=1e-3).canonical() for freeze, _, _ in tried]
    return [
        Record(
            *(task, "image", "classification", one.backbone, "accuracy", "max", value),
            strategy_json=candidate_of(one).strategy_json,
            epoch=3,
            epochs=3,
            seconds=seconds,
            trial=f"{task}-{freeze}",
        )
        for one, (freeze, value, seconds) in zip(strategies, tried, strict=True)
    ]


@pytest.mark.parametrize("alike", [1.0, 0.9])
def test_what_won_on_this_very_task_is_tried_before_its_cheap_probe(alike: float) -> None:
    before = remembered("seen", [(1.0, 0.808, 1.0), (0.75, 0.964, 9.0), (0.5, 0.983, 14.0), (0.25, 1.0, 20.0)])
    question = Question(SPACE, Strategy.canonical, "image", "classification", {"seen": alike})
    prior = prior_for(HeldMemory(before), question)
    first = [json.loads(prior.expected[place].strategy_json) for place in prior.portfolio[:3]]
    assert first[0]["freeze"] == 0.25
    assert 1.0 not in [one["freeze"] for one in first]
    assert prior.expected[prior.portfolio[0]].reason.startswith(f"like task seen ({alike:.2f} alike), where")


def test_a_memory_of_other_networks_alone_recommends_nothing() -> None:
    """As tables of others have them, with networks that the job has not, and no strategies."""
    rows = [
        Record(*(f"t{at}", "image", "classification", name, "accuracy", "max", value), trial=f"{at}-{name}")
        for at in range(4)
        for name, value in (("vgg", 0.7), ("alexnet", 0.6), ("squeeze", 0.5))
    ]
    assert prior_for(HeldMemory(rows), Question(SPACE, Strategy.canonical, "image", "classification")).is_empty
