"""Which trial wins: not the luckiest. Pure.

The best of n scores on a few validation samples is mostly the one that was lucky: on 112 samples a score of 0.85 has a
standard error of 0.034, and the best of twelve equal trials shows 0.05 more than it is worth. Two rules take most of
that away. A trial is worth the mean of its last epochs, not the best of them. And what was drawn takes the place of
what was tried first only where it is better by more than a standard error: the first ones are known to be good on many
sets, and a strategy that was drawn is one of many.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.experiments.progress import Progress, TrialProgress
from graft.spec.metrics import MetricSpec, shown

# The share of its epochs, from the end, that a trial is worth the mean of.
LAST = 0.25
# Half the width of a 95 % interval, in standard errors.
_Z = 1.96


@dataclass(frozen=True)
class Choice:
    """The winner, and why it is."""

    trial: TrialProgress
    reason: str


def choose(progress: Progress) -> Choice:
    """The winner of a search with at least one score.

    Where nothing was to be tried first, the best epoch of all wins.

    Raises:
        ValueError: no trial has a score.
    """
    scored = [trial for trial in progress.ranked() if trial.best_epoch]
    if not scored:
        raise ValueError("no trial has a score, but the winner must have one")
    first = [trial for trial in scored if trial.runs_to_end]
    name = f"validation {progress.metric.name}"
    if not first:
        told = f"best {name} {shown(progress.score(scored[0]))} of {len(scored)} trials"
        return Choice(scored[0], told)
    best, of_first = (_best(progress.metric, some) for some in (scored, first))
    values, of = {id(one): steady(one) for one in (best, of_first)}, f"of {len(scored)} trials"
    told = f"{name} {shown(values[id(best)])} over its last epochs, the best {of}"
    if best is of_first:
        return Choice(best, told)
    error = standard_error(progress, best)
    gap = abs(values[id(best)] - values[id(of_first)])
    if error is None or gap > error:
        return Choice(best, told)
    kept = f"{name} {shown(values[id(of_first)])} over its last epochs; {best.trial}, which was drawn, has"
    return Choice(of_first, f"{kept} {shown(values[id(best)])} {of}, within one standard error of {shown(error)}")


def steady(trial: TrialProgress) -> float:
    """Mean of the metric over the last quarter of a trial's epochs, at least one; the trial must have a score."""
    return steady_of(trial.values)


def steady_of(values: Mapping[int, float]) -> float:
    """The same of values by epoch."""
    epochs = sorted(values)
    last: Sequence[float] = [values[epoch] for epoch in epochs[-math.ceil(len(epochs) * LAST) :]]
    return sum(last) / len(last)


def standard_error(progress: Progress, trial: TrialProgress) -> float | None:
    """Of a trial's score, where its interval says it; None where nobody knows."""
    interval = progress.interval(trial)
    return None if interval is None else (interval[1] - interval[0]) / (2 * _Z)


def _best(metric: MetricSpec, trials: Sequence[TrialProgress]) -> TrialProgress:
    return min(trials, key=lambda one: metric.best_first(steady(one), one.trial))
