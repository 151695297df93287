"""How big a search is expected to be. Pure."""

from dataclasses import dataclass

from graft.spec.job import Job
from graft.spec.search.phases import Phase, total_trials


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
    start = phases[index - 1].epochs if phase.from_top else 0
    return float(phase.scheduler.expected_epochs(phase, start))
