"""How big a search is expected to be: the epochs that a trial trains, by scheduler. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from graft.search.schedulers.hyperband import brackets
from graft.spec.job import Job
from graft.spec.search.phases import Phase, total_trials
from graft.spec.search.schedulers import Asha, HyperBand, Median, OneEpochTopK

# Half of the trials stop somewhere on their way: an assumption, as nothing is known of the curves yet.
MEDIAN_SHARE = 0.75


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


def _halved(start: int, end: int, rungs: Sequence[int], share: float) -> float:
    """From start to end, if of the trials that come to a rung so many go on; rungs behind the start do not matter."""
    total, reached, chance = 0.0, start, 1.0
    for rung in rungs:
        if start < rung < end:
            total += chance * (rung - reached)
            reached, chance = rung, chance * share
    return total + chance * (end - reached)
