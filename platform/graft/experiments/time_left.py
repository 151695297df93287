"""How long a search will still take, from the epochs measured so far."""

import statistics
from dataclasses import dataclass

from graft.experiments.progress import RUNNING, Progress, TrialProgress
from graft.search.outlook import Outlook
from graft.spec.search.phases import Phase


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until the search is over, with a band of one standard deviation to each side."""

    seconds: float
    band: float


def time_left(progress: Progress, outlook: Outlook) -> TimeLeft | None:
    """What is left of a search, from the epochs measured so far; None before the first one."""
    seconds = [second for trial in progress.trials.values() for second in trial.epoch_seconds]
    if not seconds:
        return None
    running = [trial for trial in progress.trials.values() if trial.status == RUNNING]
    concurrent = max(1, len(running))
    epochs = sum(_epochs_left(progress, outlook, phase) for phase in outlook.phases)
    spread = statistics.stdev(seconds) if len(seconds) > 1 else seconds[0]
    # Epochs of one trial vary together (same backbone, same cut): their errors do not average out within a trial.
    a_trial = max(1.0, statistics.fmean(outlook.epochs))
    found = TimeLeft(
        seconds=epochs * statistics.fmean(seconds) / concurrent,
        band=a_trial * spread * max(1.0, epochs / a_trial) ** 0.5 / concurrent,
    )
    if outlook.minutes is None:
        return found
    until_deadline = max(0.0, outlook.minutes * 60 - progress.spent)
    if outlook.trials is not None and found.seconds < until_deadline:
        return found
    return TimeLeft(until_deadline, 0.0)


def _epochs_left(progress: Progress, outlook: Outlook, phase: Phase) -> float:
    expected = outlook.epochs[phase.index]
    begun = [trial for trial in progress.trials.values() if trial.phase == phase.index]
    is_over = phase.index in progress.phases and progress.phases[phase.index].seconds is not None
    pending = 0 if is_over or phase.trials is None else max(0, phase.trials - len(begun))
    running = (trial for trial in begun if trial.status == RUNNING)
    return pending * expected + sum(max(0.0, expected - _trained(trial, outlook, phase)) for trial in running)


def _trained(trial: TrialProgress, outlook: Outlook, phase: Phase) -> int:
    before = outlook.phases[phase.index - 1].epochs if phase.from_top else 0
    return max(0, trial.epoch - before)
