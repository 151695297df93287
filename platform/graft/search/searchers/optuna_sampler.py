"""Tree-structured Parzen estimator (Optuna)."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.search.searchers.observed import Score, is_tried, num_scored, score_of
from graft.search.searchers.random import RandomSearch
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import TpeSearcher
from graft.spec.space.distributions import Choice, Distribution, LogUniform, RandInt
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy


class TpeSearch:
    """Tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011), multivariate and grouped, as Optuna has it.

    A group is a set of keys that are active together, so what lies inside an option is modelled by the trials that
    have the option. `graft.search.searchers.observed` says how trials are compared that were stopped at different
    epochs. Trials without a value yet count as bad ones (a constant liar), so that trials that run side by side differ.

    Args:
        spec: how many trials must have a value before the estimator is asked; until then draws are random.
        space: what may be drawn.
        metric: what the values are of.
        seed: each draw has a stream of its own.
    """

    def __init__(self, spec: TpeSearcher, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._spec = spec
        self._space = space
        self._metric = metric
        self._seed = seed
        self._random = RandomSearch(spec, space, metric, seed)

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """What the estimator suggests, or a random strategy if that has been tried already."""
        at_random = self._random.draw(index, history)
        if num_scored(history, self._metric) < self._spec.start_up:
            return at_random
        scores = [(one, score_of(one, self._metric)) for one in history]
        suggested = suggest(self._space, scores, derive_seed(self._seed, "tpe", index))
        return at_random if is_tried(suggested, history, self._space) else suggested


def suggest(space: StrategySpace, scores: Sequence[tuple[Observation, Score | None]], seed: int) -> Strategy:
    """The strategy that a Parzen estimator of these observations suggests.

    Args:
        space: what may be drawn.
        scores: every observation that the estimator is to know of, with what it has shown.
        seed: of Optuna's sampler.
    """
    with _quiet():
        sampler = TPESampler(multivariate=True, group=True, constant_liar=True, n_startup_trials=0, seed=seed)
        study = optuna.create_study(sampler=sampler)
        distributions = space.distributions()
        study.add_trials([_trial(space, distributions, observation, score) for observation, score in scores])
        trial = study.ask()
        return space.build(lambda key, distribution: _suggested(trial, key, distribution))


def _trial(
    space: StrategySpace, distributions: dict[str, Distribution], observation: Observation, score: Score | None
) -> FrozenTrial:
    """An observation as Optuna has it: scored ones are pruned, so that they are ranked by epoch and then by value."""
    place = space.coordinates(observation.strategy)
    known: dict[str, Any] = {
        "params": place,
        "distributions": {key: _distribution(distributions[key]) for key in place},
    }
    if score is not None:
        return create_trial(state=TrialState.PRUNED, intermediate_values={score.epoch: score.loss}, **known)
    return create_trial(state=TrialState.FAIL if observation.failed else TrialState.RUNNING, **known)


def _distribution(distribution: Distribution) -> BaseDistribution:
    match distribution:
        case Choice(options):
            return CategoricalDistribution(range(len(options)))
        case RandInt(low, high):
            return IntDistribution(low, high)
        case _:
            return FloatDistribution(*distribution.bounds(), log=isinstance(distribution, LogUniform))


def _suggested(trial: Trial, key: str, distribution: Distribution) -> Any:
    match distribution:
        case Choice(options):
            return options[trial.suggest_categorical(key, range(len(options)))]
        case RandInt(low, high):
            return trial.suggest_int(key, low, high)
        case _:
            return trial.suggest_float(key, *distribution.bounds(), log=isinstance(distribution, LogUniform))


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna announces every study, and that `group` may still change: neither is news to a user of graft."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(verbosity)
