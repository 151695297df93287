"""The Parzen estimator's study is rebuilt from history alone, and holds nothing inactive."""

import logging
import warnings
from collections.abc import Iterator

import optuna
import pytest
from optuna.trial import TrialState

from graft.search.protocol import Observation
from graft.search.searchers.observed import score_of
from graft.search.searchers.optuna_sampler import TpeSearch, suggest
from graft.search.searchers.random import RandomSearch
from graft.spec.components.penalty import L2SP
from graft.spec.search.searchers import RandomSearcher, TpeSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy
from graft.spec.tasks.lookup import metric_named

LOSS = metric_named("loss")
SPACE = StrategySpace.parse(
    {
        "lr": {"loguniform": [1e-4, 1e-1]},
        "batch_size": {"randint": [8, 64]},
        "penalty": {"choice": ["none", {"kind": "l2_sp", "strength": {"uniform": [0.1, 1]}}]},
    }
)
PULLED = Strategy(lr=0.01, batch_size=16, penalty=L2SP(strength=0.5))
PLAIN = Strategy(lr=0.02, batch_size=32)


def tpe(space: StrategySpace = SPACE, start_up: int = 4) -> TpeSearch:
    return TpeSearch(TpeSearcher(start_up=start_up), space, LOSS, seed=0)


def study_of(monkeypatch: pytest.MonkeyPatch, history: list[Observation]) -> optuna.Study:
    studies, create = [], optuna.create_study

    def kept(**settings: object) -> optuna.Study:
        studies.append(create(**settings))
        return studies[-1]

    monkeypatch.setattr(optuna, "create_study", kept)
    suggest(SPACE, [(one, score_of(one, LOSS)) for one in history], seed=0)
    return studies[0]


def test_optuna_is_told_what_is_active_and_how_each_trial_did(monkeypatch: pytest.MonkeyPatch) -> None:
    history = [
        Observation(PULLED, {1: 0.5, 2: 0.3, 3: 0.4}),
        Observation(PLAIN, {1: 0.9}, failed=True),
        Observation(PLAIN, {}),
    ]

    *trials, asked = study_of(monkeypatch, history).trials

    assert [trial.params for trial in trials] == [
        {"lr": 0.01, "batch_size": 16, "penalty": 1, "penalty.l2_sp.strength": 0.5},
        {"lr": 0.02, "batch_size": 32, "penalty": 0},
        {"lr": 0.02, "batch_size": 32, "penalty": 0},
    ]
    assert [trial.state for trial in trials] == [TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING]
    assert [trial.intermediate_values for trial in trials] == [{3: 0.3}, {}, {}]
    assert set(asked.params) in ({"lr", "batch_size", "penalty"}, set(SPACE.distributions()))


def test_the_first_trials_are_those_of_random_search() -> None:
    random = RandomSearch(RandomSearcher(), SPACE, LOSS, seed=0)
    ended = tuple(Observation(random.draw(index, ()), {1: 0.1 * index}) for index in range(4))
    unknown = tuple(Observation(random.draw(index, ()), {}) for index in range(4, 9))

    assert tpe().draw(9, (*ended[:3], *unknown)) == random.draw(9, ())
    assert tpe().draw(9, (*ended, *unknown)) != random.draw(9, ())


def test_a_trial_that_ran_longer_is_better_than_one_that_was_stopped() -> None:
    space = StrategySpace.parse({"freeze": {"uniform": [0, 1]}})
    searcher = tpe(space)
    stopped = [Observation(Strategy(freeze=0.1 + 0.01 * place), {1: 0.1}) for place in range(20)]
    survivors = [Observation(Strategy(freeze=0.8 + 0.01 * place), {1: 0.5, 4: 0.5}) for place in range(3)]

    drawn = [searcher.draw(index, (*stopped, *survivors)) for index in range(20)]

    assert sum(one.freeze > 0.6 for one in drawn) >= 15


def test_parallel_trials_differ_more_if_they_are_known() -> None:
    space = StrategySpace.parse({"freeze": {"uniform": [0, 1]}, "weight_decay": {"uniform": [0, 1]}})
    known = [
        Observation(Strategy(freeze=place / 12, weight_decay=place / 12), {1: abs(place - 6.0)}) for place in range(13)
    ]
    crowd = [Observation(Strategy(freeze=0.5 + place / 400, weight_decay=0.5), {}) for place in range(12)]

    def nearness(history: list[Observation]) -> float:
        drawn = [tpe(space).draw(index, tuple(history)) for index in range(12)]
        return sum(abs(one.freeze - 0.5) < 0.1 for one in drawn)

    assert nearness([*known, *crowd]) < nearness(known)


def test_what_has_been_tried_is_not_suggested_again() -> None:
    space = StrategySpace.parse({"freeze": {"choice": [0.0, 0.25, 0.5, 0.75, 1.0]}})
    known = tuple(Observation(Strategy(freeze=share), {1: share}) for share in (0.0, 0.25, 0.5, 0.75))

    drawn = [tpe(space).draw(index, known).freeze for index in range(60)]

    # The estimator alone would suggest 0.0, the best, every time.
    assert drawn.count(1.0) >= 6


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What Optuna says while it is set to say everything."""
    heard: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    logging.getLogger("optuna").addHandler(handler)
    yield heard
    logging.getLogger("optuna").removeHandler(handler)
    optuna.logging.set_verbosity(before)


def test_optuna_says_nothing_and_is_left_as_it_was(said: list[str]) -> None:
    history = tuple(Observation(Strategy(lr=1e-3 * place), {1: 0.1 * place}) for place in range(1, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tpe().draw(9, history)

    assert said == []
    assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
    optuna.create_study()
    assert said != []
