"""Which trial wins: not the luckiest. Pure.

The best of n scores on a few validation samples is mostly the one that was lucky: on 112 samples a score of 0.85 has a
standard error of 0.034, and the best of twelve equal trials shows 0.05 more than it is worth. Three rules take most of
that away. A trial is worth the mean of its last epochs, not the best of them. Of trials whose shares differ by less
than a standard error, the one with the lowest loss wins: of a hundred samples, accuracy moves by a point with each, and
the likelihood with how sure a model is of every one. And the few trainings that were tried first are known to be good
on many sets, so what was drawn, and heads that were solved (many, and alike), take their place only where they are
better by more than a standard error.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graft.experiments.progress import Progress, TrialProgress
from graft.spec.messages.counting import counted
from graft.spec.metrics import begun_first, shown
from graft.spec.strategy import Strategy

# The share of its epochs, from the end, that a trial is worth the mean of.
LAST = 0.25
_LOSS = "val/loss"
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
    if not first:
        score, of = shown(progress.score(scored[0])), counted(len(scored), "trial")
        return Choice(scored[0], f"best validation {progress.metric.name} {score} of {of}")
    known = [one for one in first if not is_solved(one)] or first
    others = [one for one in scored if one not in known]
    best = _best(progress, known)
    found = _best(progress, others) if others else best
    gap = steady(found) - steady(best)
    if not progress.metric.is_better(gap, 0.0):
        return Choice(best, _told(progress, best, scored))
    error = standard_error(progress, found)
    if error is None or abs(gap) > error:
        return Choice(found, _told(progress, found, scored))
    origin = "whose head was solved" if is_solved(found) else "which was drawn"
    other = f"{found.trial}, {origin}, has {shown(steady(found))} of {counted(len(scored), 'trial')}"
    return Choice(best, f"{_worth(progress, best)}; {other}, within one standard error of {shown(error)}")


def _told(progress: Progress, winner: TrialProgress, scored: Sequence[TrialProgress]) -> str:
    highest = _highest(progress, scored)
    if winner is highest:
        return f"{_worth(progress, winner)}, the best of {counted(len(scored), 'trial')}"
    than = f"{highest.trial} has {shown(steady(highest))}, no more than chance"
    loss = ", and a higher loss" if _loss(highest) > _loss(winner) else ""
    return f"{_worth(progress, winner)} of {counted(len(scored), 'trial')}; {than}{loss}"


def _worth(progress: Progress, trial: TrialProgress) -> str:
    return f"validation {progress.metric.name} {shown(steady(trial))} over its last epochs"


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


def is_solved(trial: TrialProgress) -> bool:
    """Whether its head was solved rather than trained."""
    return bool(Strategy.read_stored(trial.best_strategy or trial.strategy).head.is_solved)


def _best(progress: Progress, trials: Sequence[TrialProgress]) -> TrialProgress:
    """The one with the lowest loss of those that are within a standard error of the highest score."""
    best = _highest(progress, trials)
    error = standard_error(progress, best) if progress.metric.is_share else None
    if error is None or not math.isfinite(_loss(best)):
        return best
    near = [one for one in trials if abs(steady(one) - steady(best)) <= error and math.isfinite(_loss(one))]
    return min(near, key=lambda one: (_loss(one), begun_first(one.trial)))


def _highest(progress: Progress, trials: Sequence[TrialProgress]) -> TrialProgress:
    return min(trials, key=lambda one: progress.metric.best_first(steady(one), one.trial))


def _loss(trial: TrialProgress) -> float:
    """On the validation samples, of its best epoch; infinite where nobody has measured it."""
    return trial.best.get(_LOSS, math.inf)
