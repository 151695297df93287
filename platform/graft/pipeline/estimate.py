"""How long things will take: expected epochs of a search, and the time that is left."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from graft.pipeline.progress import RUNNING, Progress, TrialProgress
from graft.search.rules.hyperband import brackets
from graft.spec.job import Job
from graft.spec.phases import Phase, total_trials
from graft.spec.schedulers import Asha, HyperBand, Median, OneEpochTopK

# Half of the trials stop somewhere on their way: an assumption, as nothing is known of the curves yet.
MEDIAN_SHARE = 0.75


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until the search is over, with a band of one standard deviation to each side."""

    seconds: float
    band: float


@dataclass(frozen=True)
class Outlook:
    """How big a search is.

    Attributes:
        phases: what is run.
        epochs: expected epochs of a trial, by phase.
        minutes: of the whole run, if they are limited.
    """

    phases: tuple[Phase, ...]
    epochs: tuple[float, ...]
    minutes: float | None

    @classmethod
    def of(cls, job: Job) -> "Outlook":
        """The outlook of a job."""
        phases = job.phases
        return cls(phases, tuple(expected_epochs(phases, phase.index) for phase in phases), job.search.budget.minutes)

    @property
    def trials(self) -> int | None:
        """How many trials there will be at most; None is no limit."""
        return total_trials(self.phases)


def expected_epochs(phases: tuple[Phase, ...], index: int) -> float:
    """Epochs a trial of a phase trains in it, on average."""
    phase = phases[index]
    before = phases[index - 1].epochs if phase.from_top else 0
    epochs, scheduler = phase.epochs - before, phase.scheduler
    match scheduler:
        case Asha(grace_epochs=rung, reduction_factor=factor):
            rungs = []
            while rung < phase.epochs:
                rungs.append(rung)
                rung *= factor
            return _halved(before, phase.epochs, rungs, 1 / factor)
        case HyperBand(reduction_factor=factor):
            found = brackets(phase.epochs, factor, phase.trials)
            total = sum(one.size * _halved(before, phase.epochs, one.milestones, 1 / factor) for one in found)
            return total / sum(one.size for one in found)
        case Median():
            return epochs * MEDIAN_SHARE
        case OneEpochTopK():
            share = min(1.0, scheduler.keep / (phase.trials or scheduler.keep))
            return _halved(before, phase.epochs, [scheduler.epochs], share)
        case _:
            return float(epochs)


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


def _halved(start: int, end: int, rungs: Sequence[int], share: float) -> float:
    """From start to end, if of the trials that come to a rung so many go on; rungs behind the start do not matter."""
    total, reached, chance = 0.0, start, 1.0
    for rung in rungs:
        if start < rung < end:
            total += chance * (rung - reached)
            reached, chance = rung, chance * share
    return total + chance * (end - reached)
