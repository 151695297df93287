"""How long things will take: expected epochs of a search, and the time that is left."""

import statistics
from dataclasses import dataclass

from graft.pipeline.progress import RUNNING, Progress
from graft.spec.search import Asha, NoScheduler


@dataclass(frozen=True)
class TimeLeft:
    """Seconds until the search is over, with a band of one standard deviation to each side."""

    seconds: float
    band: float


def expected_epochs(scheduler: NoScheduler | Asha, epochs: int) -> float:
    """Epochs a trial trains on average.

    Under successive halving with grace r and factor η a trial gets from one rung to the next with chance 1/η.
    """
    if not isinstance(scheduler, Asha):
        return float(epochs)
    total, reached, chance = 0.0, 0, 1.0
    rung = scheduler.grace_epochs
    while rung < epochs:
        total += chance * (rung - reached)
        reached, rung, chance = rung, round(rung * scheduler.reduction_factor), chance / scheduler.reduction_factor
    return total + chance * (epochs - reached)


def time_left(progress: Progress, trials: int, epochs_a_trial: float) -> TimeLeft | None:
    """What is left of a search, from the epochs measured so far; None before the first one.

    Args:
        progress: how it stands.
        trials: how many there will be.
        epochs_a_trial: expected epochs of one (`expected_epochs`).
    """
    seconds = [second for trial in progress.trials.values() for second in trial.epoch_seconds]
    if not seconds:
        return None
    running = [trial for trial in progress.trials.values() if trial.status == RUNNING]
    concurrent = max(1, len(running))
    pending = max(0, trials - len(progress.trials))
    epochs = pending * epochs_a_trial + sum(max(0.0, epochs_a_trial - trial.epoch) for trial in running)
    spread = statistics.stdev(seconds) if len(seconds) > 1 else seconds[0]
    # Epochs of one trial vary together (same backbone, same cut): their errors do not average out within a trial.
    draws = max(1.0, epochs / epochs_a_trial)
    return TimeLeft(
        seconds=epochs * statistics.fmean(seconds) / concurrent,
        band=epochs_a_trial * spread * draws**0.5 / concurrent,
    )
