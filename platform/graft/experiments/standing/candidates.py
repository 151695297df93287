"""Which trials an ensemble may be made of: the best, and not only heads that were solved. Pure."""

from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.choice import is_solved, steady

MOST_CANDIDATES, MOST_SOLVED = 12, 6
"""Candidates; those of them whose head was solved: they are alike, and there are many of them where data are few."""


def candidates_of(progress: Progress, winner: TrialProgress) -> list[TrialProgress]:
    """The winner, then the best others by what they are worth over their last epochs."""
    scored = [one for one in progress.ranked() if one.best_epoch and one is not winner]
    ranked = sorted(scored, key=lambda one: progress.metric.best_first(steady(one), one.trial))
    chosen, solved = [winner], int(is_solved(winner))
    for one in ranked:
        if len(chosen) == MOST_CANDIDATES:
            break
        if is_solved(one):
            solved += 1
            if solved > MOST_SOLVED:
                continue
        chosen.append(one)
    return chosen
