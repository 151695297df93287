"""Which trials an ensemble may be made of: the best, of several kinds where there are some. Pure."""

from collections import Counter

from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.choice import is_solved, steady
from graft.learner.ensemble.kinds import kind_of
from graft.spec.strategy import Strategy

MOST_CANDIDATES, MOST_SOLVED = 12, 6
"""Candidates; those of them whose head was solved on one backbone: they are alike, and many where data are few."""


def candidates_of(progress: Progress, winner: TrialProgress) -> list[TrialProgress]:
    """The winner, then the best others by what they are worth over their last epochs.

    The best of each kind (`learner.ensemble.kinds`) is among them, whatever its score: unlike models help each other
    most.
    """
    scored = [one for one in progress.ranked() if one.best_epoch and one is not winner]
    ranked = sorted(scored, key=lambda one: progress.metric.best_first(steady(one), one.trial))
    places = Counter([_kind(winner)])
    turns = []
    for one in ranked:
        turns.append(places[_kind(one)])
        places[_kind(one)] += 1
    able = [place for place, one in enumerate(ranked) if not is_solved(one) or turns[place] < MOST_SOLVED]
    chosen = sorted(able, key=lambda place: (turns[place] > 0, place))[: MOST_CANDIDATES - 1]
    return [winner, *(ranked[place] for place in sorted(chosen))]


def _kind(one: TrialProgress) -> str:
    return kind_of(Strategy.read_stored(one.best_strategy or one.strategy))
