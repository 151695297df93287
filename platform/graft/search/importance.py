"""Which fields of the strategy the results of a search depended on.

A random forest (Breiman, Machine Learning 45, 2001) predicts a trial's score from its strategy. A field matters as far
as the prediction of trials that the forest has not seen gets worse when the field's values are shuffled among them
(permutation importance). What is found holds for the strategies that were tried: a search that stops drawing from a bad
region knows little of it, and few trials say little at all, which is why the explained variance stands beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_TRIALS = 8
_FOLDS = 4
_REPEATS = 5
_TREES = 60
# Below every number a field can take: a tree splits "has none" off.
_NONE = -1.0


@dataclass(frozen=True)
class TriedStrategy:
    """A strategy as a plain mapping (components are mappings themselves), and epoch -> its score there."""

    strategy: Mapping[str, Any]
    scores: Mapping[int, float]


@dataclass(frozen=True)
class Importance:
    """What the results depended on.

    Attributes:
        shares: field -> share of the importance, summing to 1; empty if nothing can be said.
        explained: share of the variance that is explained for trials the forest has not seen (R², cross-validated; may
            be negative); None if there were too few.
        trials: how many it is estimated from.
        epoch: all are compared by their best score up to this one.
        note: one line on how it was found, or why nothing was.
    """

    shares: Mapping[str, float]
    explained: float | None
    trials: int
    epoch: int
    note: str


def strategy_importance(tried: Sequence[TriedStrategy], maximise: bool, seed: int = 0) -> Importance:
    """Estimate which fields mattered.

    Trials are compared at an equal age, the latest that at least half of them, and `MIN_TRIALS`, have reached: the best
    score of a trial that was stopped early says more about when it was stopped than about its strategy.

    Args:
        tried: the strategies with a score; non-finite scores are left out.
        maximise: whether a higher score is better.
        seed: of forests and shuffles.
    """
    scored = [(one.strategy, _finite(one.scores)) for one in tried]
    scored = [(strategy, scores) for strategy, scores in scored if scores]
    if len(scored) < MIN_TRIALS:
        few = (
            f"nothing is said about what mattered: {len(scored)} trials have a score, at least {MIN_TRIALS} are needed"
        )
        return Importance({}, None, len(scored), 0, few)
    epoch = _common_epoch([max(scores) for _, scores in scored])
    best = max if maximise else min
    compared = [(strategy, scores) for strategy, scores in scored if max(scores) >= epoch and min(scores) <= epoch]
    target = np.array([best(value for at, value in scores.items() if at <= epoch) for _, scores in compared])
    fields = _encode([strategy for strategy, _ in compared])
    where = f"{len(compared)} trials at epoch {epoch}"
    if len(compared) < MIN_TRIALS or not fields or not np.ptp(target):
        return Importance({}, None, len(compared), epoch, f"nothing is said about what mattered: {where} do not differ")
    explained, lost = _cross_validate(fields, target, seed)
    total = sum(lost.values())
    if explained <= 0 or total <= 0:
        note = f"nothing stands out: the strategy does not predict the score of {where} (R² {explained:.2f})"
        return Importance({}, explained, len(compared), epoch, note)
    shares = dict(sorted(((name, value / total) for name, value in lost.items()), key=lambda one: -one[1]))
    first = ", ".join(f"{name} {share:.0%}" for name, share in [*shares.items()][:3])
    note = f"{first}; a random forest over {where}, which explains {explained:.0%} of the variance of unseen trials"
    return Importance(shares, explained, len(compared), epoch, note)


def _finite(scores: Mapping[int, float]) -> dict[int, float]:
    return {epoch: value for epoch, value in scores.items() if np.isfinite(value)}


def _common_epoch(reached: Sequence[int]) -> int:
    needed = max(MIN_TRIALS, (len(reached) + 1) // 2)
    return sorted(reached, reverse=True)[needed - 1]


def _encode(strategies: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Field -> its columns [N, C]; a component is one field with its parameters. What does not vary is left out."""
    fields = {}
    for name in dict.fromkeys(name for strategy in strategies for name in strategy):
        columns = _columns([strategy.get(name) for strategy in strategies])
        varying = [column for column in columns if np.ptp(column)]
        if varying:
            fields[name] = np.stack(varying, axis=1)
    return fields


def _columns(values: Sequence[Any]) -> list[NDArray[np.float64]]:
    if any(isinstance(value, Mapping) for value in values):
        parts = [value if isinstance(value, Mapping) else {} for value in values]
        names = dict.fromkeys(name for one in parts for name in one)
        return [column for name in names for column in _columns([one.get(name) for one in parts])]
    if all(isinstance(value, int | float) or value is None for value in values):
        return [np.array([_NONE if value is None else float(value) for value in values])]
    return [np.array([float(value == kind) for value in values]) for kind in dict.fromkeys(map(str, values))]


def _cross_validate(
    fields: Mapping[str, NDArray[np.float64]], target: NDArray[np.float64], seed: int
) -> tuple[float, dict[str, float]]:
    """R² for unseen trials, and how much of the variance is lost when a field is shuffled among them."""
    from sklearn.ensemble import RandomForestRegressor  # takes a second to import

    rng = np.random.default_rng(seed)
    inputs = np.concatenate([*fields.values()], axis=1)
    ends = np.cumsum([columns.shape[1] for columns in fields.values()])
    errors, lost = 0.0, dict.fromkeys(fields, 0.0)
    for held_out in np.array_split(rng.permutation(len(target)), _FOLDS):
        kept = np.setdiff1d(np.arange(len(target)), held_out)
        forest = RandomForestRegressor(n_estimators=_TREES, random_state=seed).fit(inputs[kept], target[kept])
        error = _error(forest, inputs[held_out], target[held_out])
        errors += error
        for name, end in zip(fields, ends, strict=True):
            mine = slice(end - fields[name].shape[1], end)
            drawn = inputs[rng.choice(len(inputs), (_REPEATS, len(held_out)))][..., mine]
            lost[name] += _shuffled_error(forest, inputs[held_out], target[held_out], mine, drawn) - error
    variance = float(((target - target.mean()) ** 2).sum())
    return 1 - errors / variance, {name: max(0.0, value / variance) for name, value in lost.items()}


def _shuffled_error(
    forest: Any, inputs: NDArray[np.float64], target: NDArray[np.float64], mine: slice, drawn: NDArray[np.float64]
) -> float:
    """The mean error when one field's columns are those of other trials: `drawn` [repeats, N, C]."""
    errors = []
    for values in drawn:
        changed = inputs.copy()
        changed[:, mine] = values
        errors.append(_error(forest, changed, target))
    return float(np.mean(errors))


def _error(forest: Any, inputs: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    return float(((forest.predict(inputs) - target) ** 2).sum())
