"""Bayesian search over several fidelities."""

import random

from graft.core.seeds import derive_seed
from graft.search.protocol import Observation
from graft.search.searchers.observed import Score, is_tried, score_of
from graft.search.searchers.optuna_sampler import suggest
from graft.search.searchers.random import RandomSearch
from graft.spec.metrics import MetricSpec
from graft.spec.search.searchers import BohbSearcher
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

RANDOM_SHARE = 1 / 3
"""ρ in the paper: the share of draws that stay random, so that the search cannot be led astray for good."""


class BohbSearch:
    """BOHB's choice of strategies (Falkner, Klein, Hutter, ICML 2018); its HyperBand is a scheduler of its own.

    The estimator learns from trials of one length only: the longest that at least N + 2 trials have reached, with N
    the most values a strategy of the space consists of (N_min = d + 1 of the paper, and one more), and no fewer than
    `start_up`. A trial counts with its best value until then. The estimator itself is Optuna's multivariate one, which
    follows BOHB's.

    Args:
        spec: the fewest trials to learn from.
        space: what may be drawn.
        metric: what the values are of.
        seed: each draw has a stream of its own.
    """

    def __init__(self, spec: BohbSearcher, space: StrategySpace, metric: MetricSpec, seed: int) -> None:
        self._space = space
        self._metric = metric
        self._seed = seed
        self._fewest = max(spec.start_up, space.dimensions() + 2)
        self._random = RandomSearch(spec, space, metric, seed)

    def draw(self, index: int, history: tuple[Observation, ...]) -> Strategy:
        """What the estimator suggests; a random strategy in one of three draws, and if that has been tried already."""
        at_random = self._random.draw(index, history)
        epoch = self._epoch(history)
        if epoch is None or random.Random(derive_seed(self._seed, "bohb share", index)).random() < RANDOM_SHARE:
            return at_random
        suggested = suggest(self._space, self._scores(history, epoch), derive_seed(self._seed, "bohb", index))
        return at_random if is_tried(suggested, history, self._space) else suggested

    def _epoch(self, history: tuple[Observation, ...]) -> int | None:
        """The longest training that enough trials have reached."""
        scores = [score_of(one, self._metric) for one in history]
        lengths = sorted((score.epoch for score in scores if score is not None), reverse=True)
        return lengths[self._fewest - 1] if len(lengths) >= self._fewest else None

    def _scores(self, history: tuple[Observation, ...], epoch: int) -> list[tuple[Observation, Score | None]]:
        """The trials of this length, and those of which nothing is known yet; shorter ones are left out."""
        found: list[tuple[Observation, Score | None]] = []
        for observation in history:
            score = score_of(observation, self._metric)
            if score is None:
                found.append((observation, None))
            elif score.epoch >= epoch:
                found.append((observation, score_of(observation, self._metric, until=epoch)))
        return found
