"""Population-based bandits: numbers are chosen by what past changes have gained (Parker-Holder et al., NeurIPS 2020).

The gain of an interval of training is modelled as a function of hyperparameters and time that drifts (`gain_model`).
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.search.perturb import Changes, changes_between, clamped, kept, perturb, rebuilt
from graft.spec.space.distributions import Choice, Distribution, Number, Range
from graft.spec.space.space import StrategySpace
from graft.spec.strategy import Strategy

MIN_ROWS = 4
# The cost is cubic in them, and what was learnt many intervals ago weighs next to nothing.
MAX_ROWS = 300
RESAMPLE = 0.25
# Enough for any hyperparameter, and so few that another machine's rounding does not show in what is chosen.
_DIGITS = 6


@dataclass(frozen=True)
class Gain:
    """What one interval of training has brought.

    Attributes:
        epoch: at which the interval ended.
        strategy: what was trained in it.
        value: change of the metric, signed so that more is better.
    """

    epoch: int
    strategy: Strategy
    value: float


_Row = tuple[Gain, dict[str, float]]


@dataclass(frozen=True)
class Bandit:
    """Chooses the numbers of a strategy.

    Attributes:
        space: where the ranges are.
        keys: what may change, as `graft.spec.space.mutation.mutated_keys` gives it.
        interval: epochs of an interval.
    """

    space: StrategySpace
    keys: tuple[str, ...]
    interval: int

    def choose(
        self, donor: Strategy, epoch: int, gains: Sequence[Gain], pending: Sequence[Strategy], rng: random.Random
    ) -> tuple[Strategy, Changes]:
        """A variation of the donor for the interval that begins now.

        What is not a number of a range is varied as `graft.search.perturb.perturb` does it; so is a number of an option
        that was hardly ever tried, and every number while fewer than `MIN_ROWS` gains are known.

        Args:
            donor: what is varied.
            epoch: at which the interval begins.
            gains: what is known, in an order that does not depend on timing.
            pending: what else will be trained in that interval.
            rng: equal states give equal choices.

        Returns:
            The variation, and what differs from the donor (`changes_between`).
        """
        varied, _ = perturb(self.space, donor, self.keys, rng, RESAMPLE)
        learnt, rows = self._learnable(varied, [gain for gain in gains if math.isfinite(gain.value)])
        if learnt:
            best = self._best(learnt, rows, epoch, pending, rng.getrandbits(32))
            varied = self._at(varied, dict(zip(learnt, best, strict=True)), rng)
        return varied, changes_between(donor, varied)

    def _learnable(self, strategy: Strategy, gains: Sequence[Gain]) -> tuple[list[str], list[_Row]]:
        """The ranges of a strategy that enough is known of, and the gains that have a value in all of them.

        A range inside an option exists only where the option was chosen: it is a dimension if enough gains have it.
        """
        rows = [(gain, self._positions(gain.strategy)) for gain in gains[-MAX_ROWS:]]
        learnt = list(self._positions(strategy))
        whole = [row for row in rows if row[1].keys() >= set(learnt)]
        if len(whole) < MIN_ROWS:
            learnt = [key for key in learnt if all(key in positions for _, positions in rows)]
            whole = rows
        return (learnt, whole) if len(whole) >= MIN_ROWS else ([], [])

    def _best(
        self, learnt: Sequence[str], rows: Sequence[_Row], epoch: int, pending: Sequence[Strategy], seed: int
    ) -> list[float]:
        """Where in its range, as a share in 0…1, each of these keys is to lie next."""
        import numpy as np

        from graft.search.gp_bandit_model import GainModel  # needs scikit-learn, which random variations do not

        def point(time: float, positions: Mapping[str, float]) -> list[float]:
            return [time, *(positions[key] for key in learnt)]

        now = epoch / self.interval + 1
        ahead = [point(now, at) for at in map(self._positions, pending) if at.keys() >= set(learnt)]
        points = np.array([point(gain.epoch / self.interval, at) for gain, at in rows])
        model = GainModel.of(points, np.array([gain.value for gain, _ in rows]))
        best = model.given(np.array(ahead).reshape(-1, points.shape[1])).best(now, np.random.default_rng(seed))
        return [float(share) for share in best]

    def _positions(self, strategy: Strategy) -> dict[str, float]:
        """The numbers of a strategy that may change and lie in a range, as shares of it."""
        distributions, found = self.space.distributions(), self.space.coordinates(strategy)
        ranges = {key: distributions[key] for key in found if key in self.keys}
        return {key: range_.position(found[key]) for key, range_ in ranges.items() if not isinstance(range_, Choice)}

    def _at(self, strategy: Strategy, shares: Mapping[str, float], rng: random.Random) -> Strategy:
        coordinates = self.space.coordinates(strategy)

        def pick(key: str, distribution: Distribution) -> Any:
            if key in shares and not isinstance(distribution, Choice):
                return _rounded(distribution, shares[key])
            return kept(coordinates, key, distribution, rng)

        return rebuilt(self.space, strategy, tuple(shares), pick)


def _rounded(range_: Range, share: float) -> Number:
    value = range_.at(share)
    return value if isinstance(value, int) else clamped(range_, float(f"{value:.{_DIGITS}g}"))
