"""Variations of a strategy for population-based training (Jaderberg et al., 2017), inside the declared search space."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graft.spec.space.distributions import Choice, Distribution, Number, RandInt, Range
from graft.spec.space.nodes import Value
from graft.spec.space.space import Pick, StrategySpace
from graft.spec.strategy import Strategy

UP, DOWN = 1.2, 0.8
# A product cannot leave 0, so from there a number moves by this share of the width of its range.
_STEP_FROM_ZERO = 0.1
# The canonical form of a linear probe has one learning rate instead of two: they change together, or not at all.
_RATES = frozenset(("lr", "head_lr_factor"))
_DECIDE_ON_RATES = _RATES | {"freeze"}
# The canonical form of a surgical tuning has another cut.
_DEPTH = frozenset(("freeze", "tune"))

Changes = dict[str, tuple[Any, Any]]


def perturb(
    space: StrategySpace, strategy: Strategy, keys: Sequence[str], rng: random.Random, resample: float
) -> tuple[Strategy, Changes]:
    """A variation of a strategy.

    Each key is drawn anew with chance `resample`. Else a number of a range is multiplied by 1.2 or by 0.8 and stays
    within the range (a whole one moves by at least 1), one of a choice of numbers moves to a neighbour in their order,
    and a choice of anything else stays. Parameters of the chosen option are varied as well; those of a newly chosen
    one are drawn. If that has changed nothing, one key is made to move.

    Args:
        space: where the distributions are.
        strategy: what is varied.
        keys: what may change, as `graft.spec.space.mutation.mutated_keys` gives it.
        rng: equal states give equal variations.
        resample: chance in 0…1.

    Returns:
        The variation, as `rebuilt` says, and what `changes_between` says of the two.
    """
    at = space.coordinates(strategy)
    variation = _Variation(frozenset(keys), at, rng, resample)
    varied = rebuilt(space, strategy, keys, variation.pick)
    for key in rng.sample(keys, len(keys)):
        if variation.has_moved:
            break
        variation = _Variation(frozenset((key,)), at, rng, resample, must_move=True)
        varied = rebuilt(space, strategy, keys, variation.pick)
    return varied, changes_between(strategy, varied)


def rebuilt(space: StrategySpace, strategy: Strategy, keys: Sequence[str], pick: Pick) -> Strategy:
    """A strategy with other values for some of its keys.

    What stands in no field of these keys is equal to the strategy's. The fields of these keys are as the space declares
    them, which `Strategy.canonical` may have changed: both learning rates of a linear probe are those that were drawn.

    Args:
        space: where the distributions are.
        strategy: what is rebuilt.
        keys: dotted keys of the space.
        pick: decides on each distribution (`StrategySpace.build`), the ones of other keys too.
    """
    names = {key.split(".")[0].split("[")[0] for key in keys}
    names |= _RATES if names & _DECIDE_ON_RATES else set()
    names |= _DEPTH if names & _DEPTH else set()
    built = space.build(pick)
    plain = strategy.model_dump(mode="json")
    return Strategy.model_validate(plain | {name: built.plain(name) for name in names})


def kept(at: Mapping[str, Number], key: str, distribution: Distribution, rng: random.Random) -> Any:
    """What a strategy at these coordinates has of a distribution; drawn, if it has nothing of it."""
    if key not in at:
        return distribution.sample(rng)
    return distribution.options[int(at[key])] if isinstance(distribution, Choice) else at[key]


def changes_between(old: Strategy, new: Strategy) -> Changes:
    """Dotted key of `Strategy.flat` -> (old value, new value), where they differ; None where a key does not exist."""
    before, after = old.flat(), new.flat()
    keys = dict.fromkeys((*before, *after))
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def described(changes: Mapping[str, tuple[Any, Any]]) -> str:
    """Changes as part of a sentence: ``lr 0.01 -> 0.012, penalty l2 -> none, penalty.strength 0.001 -> unused``."""
    shown = (f"{key} {_shown(old)} -> {_shown(new)}" for key, (old, new) in changes.items())
    return ", ".join(shown) or "nothing changes"


def clamped(range_: Range, value: Number) -> Number:
    """The value, or the bound that it is beyond."""
    low, high = range_.bounds()
    return min(max(value, low), high)


@dataclass
class _Variation:
    """Decides on each distribution of a space, seen from where a strategy lies.

    Attributes:
        keys: what may change.
        at: coordinates of the strategy.
        rng: decides.
        resample: chance that a value is drawn anew.
        must_move: every key takes another value if it has one, also another option.
        has_moved: whether anything is not where it was.
    """

    keys: frozenset[str]
    at: Mapping[str, Number]
    rng: random.Random
    resample: float
    must_move: bool = False
    has_moved: bool = False

    def pick(self, key: str, distribution: Distribution) -> Any:
        here = kept(self.at, key, distribution, self.rng)
        picked = here
        if key in self.at and key in self.keys:
            picked = self._anew(distribution) if self._is_drawn_anew() else self._varied(distribution, here)
        self.has_moved |= key in self.keys and (key not in self.at or picked != here)
        return picked

    def _is_drawn_anew(self) -> bool:
        return not self.must_move and self.rng.random() < self.resample

    def _anew(self, distribution: Distribution) -> Any:
        return distribution.sample(self.rng)

    def _varied(self, distribution: Distribution, here: Any) -> Any:
        if not isinstance(distribution, Choice):
            up = self.rng.random() < 0.5
            moved = _moved(distribution, here, up)
            return _moved(distribution, here, not up) if self.must_move and moved == here else moved
        ordered = _ordered(distribution)
        if ordered:
            place = ordered.index(here)
            others = [ordered[near] for near in (place - 1, place + 1) if 0 <= near < len(ordered)]
        else:
            others = [option for option in distribution.options if option != here] if self.must_move else []
        return self.rng.choice(others) if others else here


def _moved(range_: Range, value: Number, up: bool) -> Number:
    direction = 1 if up else -1
    product = value * (UP if up else DOWN)
    if isinstance(range_, RandInt):
        rounded = round(product)
        return clamped(range_, rounded if rounded != value else int(value) + direction)
    if value == 0:
        return clamped(range_, direction * _STEP_FROM_ZERO * (range_.high - range_.low))
    return clamped(range_, product)


def _ordered(choice: Choice) -> list[Value]:
    """The options in order, if all of them are numbers."""
    are_numbers = all(isinstance(option, Value) and _is_number(option.value) for option in choice.options)
    return sorted(choice.options, key=lambda option: option.value) if are_numbers else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    if value is None:
        return "unused"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
