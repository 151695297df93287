import math

import pytest

from graft.search.protocol import Observation
from graft.search.searchers.observed import Score, is_tried, num_scored, score_of
from graft.spec.components.penalty import L2
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

LOSS, ACCURACY = metric_named("loss"), metric_named("accuracy")


def shown(**values: float) -> Observation:
    return Observation(Strategy(), {int(epoch[1:]): value for epoch, value in values.items()})


@pytest.mark.parametrize(
    ("observation", "expected"),
    [
        (shown(e1=0.5, e2=0.3, e3=0.4), Score(3, 0.3)),
        (shown(e3=0.4, e1=0.2), Score(3, 0.2)),
        (shown(e1=0.5, e2=math.nan, e3=-math.inf), Score(1, 0.5)),
        (shown(), None),
        (shown(e1=math.nan), None),
        (Observation(Strategy(), {1: 0.5}, failed=True), None),
    ],
)
def test_a_trial_is_worth_its_best_epoch_of_all_it_has_trained(observation: Observation, expected: Score) -> None:
    assert score_of(observation, LOSS) == expected


def test_more_is_better_for_some_metrics() -> None:
    assert score_of(shown(e1=0.5, e2=0.7, e3=0.6), ACCURACY) == Score(3, -0.7)


def test_later_epochs_can_be_left_out() -> None:
    trial = shown(e2=0.5, e4=0.3, e6=0.1)
    assert [score_of(trial, LOSS, until) for until in (1, 2, 5, 9)] == [
        None,
        Score(2, 0.5),
        Score(4, 0.3),
        Score(6, 0.1),
    ]


def test_the_longest_come_first_and_then_the_best() -> None:
    scores = [Score(1, 0.1), Score(3, 0.9), Score(3, 0.5), Score(2, 0.2)]
    assert sorted(scores, key=lambda score: score.rank) == [Score(3, 0.5), Score(3, 0.9), Score(2, 0.2), Score(1, 0.1)]


def test_only_what_has_shown_something_is_counted() -> None:
    assert num_scored([shown(e1=0.5), shown(), Observation(Strategy(), {1: 0.1}, failed=True)], LOSS) == 1


def test_a_place_is_tried_whatever_form_it_was_tried_in() -> None:
    space = StrategySpace.parse({"freeze": {"choice": [0.3, 1.0]}, "penalty": {"choice": ["none", "l2"]}})
    tried = [Observation(Strategy(freeze=0.3, penalty=L2()).canonical(4), {})]
    assert tried[0].strategy.freeze == 0.25
    assert is_tried(Strategy(freeze=0.3, penalty=L2()), tried, space)
    assert not is_tried(Strategy(freeze=0.3), tried, space)
    assert not is_tried(Strategy(freeze=1.0, penalty=L2()), tried, space)
