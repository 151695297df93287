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


def choose(progress: Progress, by_estimates: bool = True) -> Choice:
    """The winner of a search with at least one score.

    Where nothing was to be tried first, the best epoch of all wins. Where finalists were scored by folds, the winner by
    the validation samples among them, the best of them by folds takes its place.

    Args:
        progress: how the search stands.
        by_estimates: whether scores by folds are looked at.

    Raises:
        ValueError: no trial has a score.
    """
    found = _by_validation(progress)
    if not by_estimates or progress.estimate(found.trial) is None:
        return found
    return _by_folds(progress, found.trial)


def _by_folds(progress: Progress, before: TrialProgress) -> Choice:
    """The best finalist; what was tried first gives way only to more than a standard error."""
    values = {one.trial: found[0] for one in progress.trials.values() if (found := progress.estimate(one))}
    finalists = [progress.trials[name] for name in values if math.isfinite(values[name])]
    if not finalists:
        return Choice(before, "no score by folds is a number; it is the best of the validation samples")

    def best_of(some: Sequence[TrialProgress]) -> TrialProgress:
        return min(some, key=lambda one: progress.metric.best_first(values[one.trial], one.trial))

    best, first = best_of(finalists), [one for one in finalists if one.runs_to_end]
    of_first, winner = best_of(first) if first else best, best
    low, high = (progress.estimate(best) or (0.0,) * 3)[1:]
    error = (high - low) / (2 * _Z)
    if of_first is not best and abs(values[best.trial] - values[of_first.trial]) <= error:
        winner = of_first
    name = f"{progress.metric.name} {shown(values[winner.trial])} over folds"
    told = f"{name}, of {len(finalists)} finalists"
    if winner is not best:
        kept = f"{best.trial}, which was drawn, has {shown(values[best.trial])}, within one standard error"
        told = f"{told}; {kept} of {shown(error)}"
    elif winner is not before and before.trial in values:
        told = f"{told}; {before.trial}, the best of the validation samples, has {shown(values[before.trial])}"
    return Choice(winner, told)


def _by_validation(progress: Progress) -> Choice:
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
