"""The budget: when the search has to end so that the rest of the run still fits. A pure decision."""

from dataclasses import dataclass

from graft.core.clock import Clock
from graft.pipeline.progress import Progress, TrialProgress
from graft.tracking.events import TrialStatus

# Worker start, evaluation, export and registration: an assumption on the safe side, not a measurement.
AFTER_FIT_SECONDS = 25.0


@dataclass(frozen=True)
class TimeBudget:
    """Wall-clock time of a run.

    Attributes:
        seconds: all there is, from the start of the run to its end; None is without end.
        started: the clock's `elapsed` at the start.
    """

    seconds: float | None
    started: float

    def search_is_over(self, progress: Progress, clock: Clock, fit_scale: float) -> bool:
        """Whether the search must end now.

        Args:
            progress: how it stands.
            clock: tells how much is spent.
            fit_scale: seconds an epoch of the final fit takes, over those of a trial.
        """
        if self.seconds is None:
            return False
        spent = clock.elapsed() - self.started
        return spent + _reserve(progress, fit_scale) >= self.seconds


def fit_epochs(winner: TrialProgress, epochs: int) -> int:
    """Epochs of the final fit.

    All of them, because the learning-rate schedule is made for that many; but if patience ended the trial, it has shown
    that its best epoch is enough. (The best epoch of a trial that ran to its end is mostly chance: the metric is flat
    there, and the fit has more data.)
    """
    ran_out_of_patience = winner.status == TrialStatus.COMPLETED and winner.epoch < epochs
    return winner.best_epoch if ran_out_of_patience else epochs


def fit_seconds(winner: TrialProgress, epochs: int, fit_scale: float) -> float:
    """How long the final fit of a trial's strategy will take, judged by the trial's own epochs."""
    if not winner.epoch_seconds:
        return 0.0
    mean = sum(winner.epoch_seconds) / len(winner.epoch_seconds)
    return mean * fit_scale * fit_epochs(winner, epochs)


def _reserve(progress: Progress, fit_scale: float) -> float:
    ranked = [trial for trial in progress.ranked() if trial.best_epoch]
    if not ranked:
        return AFTER_FIT_SECONDS
    return AFTER_FIT_SECONDS + fit_seconds(ranked[0], progress.epochs, fit_scale)
