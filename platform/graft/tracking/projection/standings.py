"""How the trials of a finished experiment stand: their ranks, and how far each is from the middle one. Pure.

Bars of MLflow begin at zero, where scores of 0.95 and 0.96 look the same, and its tables break ties by chance. So the
end of an experiment gives each trial its rank, and its lead: its score less that of the middle trial.
"""

from collections.abc import Iterator

from graft.tracking.projection.operations import Operation
from graft.tracking.projection.state import Seen, TrialSeen
from graft.tracking.projection.trial_runs import family, log

RANK = "final/rank"


def lead_name(metric: str) -> str:
    """The metric that says how far a trial is from the middle one."""
    return f"final/val_{metric}_lead"


def scored(seen: Seen) -> list[TrialSeen]:
    """Trials that have a score, best first."""
    return [trial for trial in seen.ranked() if trial.best is not None]


def charted(seen: Seen) -> tuple[int, int]:
    """How many families and trials a chart of final scores shows: of those that have ended."""
    ended = [trial for trial in scored(seen) if trial.result is not None]
    return len({family(trial.started.strategy) for trial in ended}), len(ended)


def base(seen: Seen) -> float | None:
    """The score that leads are counted from: that of the middle trial; None if there are not two to compare."""
    trials = scored(seen)
    return trials[len(trials) // 2].best if len(trials) > 1 else None


def standings(seen: Seen, time: float) -> Iterator[Operation]:
    """Rank and lead of every trial that has a score."""
    trials, middle, metric = scored(seen), base(seen), seen.metric
    for rank, trial in enumerate(trials, start=1):
        values = {RANK: float(rank)}
        if metric is not None and middle is not None:
            values[lead_name(metric.name)] = _lead(trial.best or 0.0, middle, trials[0].best or 0.0)
        yield from log(trial.started.trial, values, time, 0)


def _lead(value: float, middle: float, best: float) -> float:
    """A trial that is far behind is shown as far behind as the best is ahead: it would flatten all other bars."""
    most = abs(best - middle)
    return max(-most, min(most, value - middle))
