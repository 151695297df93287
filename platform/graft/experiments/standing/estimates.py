"""What a run says of the time it will still take: journaled, and held against the time it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.standing.time_left import TimeLeft, time_left
from graft.journal import events
from graft.journal.events import ExperimentStatus
from graft.journal.journal import Journal, read
from graft.search.outlook import Outlook

# Estimates are journaled no closer than this.
INTERVAL_S = 5.0
MOMENTS = (
    events.StageStarted,
    events.TrialReported,
    events.TrialFinished,
    events.TrialEstimated,
    events.EnsembleChosen,
)


@dataclass(frozen=True)
class Check:
    """One estimate, and how long it took in truth."""

    left: TimeLeft
    truth: float


class Moments:
    """Decides at which records an estimate is due."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def is_due(self, event: events.Event) -> bool:
        """Whether to estimate now; of the same moment, that is said once."""
        if not isinstance(event, MOMENTS) or event.time - self._last < INTERVAL_S:
            return False
        self._last = event.time
        return True


def journal_estimates(journal: Journal, progress: Progress, outlook: Outlook) -> Callable[[events.Event], None]:
    """What to call with every event, after `progress` has heard of it: journals what the display says."""
    moments = Moments()

    def listen(event: events.Event) -> None:
        if not moments.is_due(event):
            return
        left = time_left(progress, outlook)
        if left is not None:
            journal.append(events.TimeLeftEstimated(round(left.seconds, 1), round(left.band, 1)))

    return listen


def share_held(checks: Sequence[Check]) -> float:
    """The share of checks whose band held the truth; at least one."""
    return sum(check.left.holds(check.truth) for check in checks) / len(checks)


def checks_of(experiment: Experiment, is_asked_again: bool = False) -> list[Check]:
    """All estimates of the runs of an experiment that came to their end.

    Args:
        experiment: whose journal is read.
        is_asked_again: what this graft would have said counts, whatever the runs have.

    Raises:
        ArtifactError: job or journal are missing or damaged.
    """
    job = experiment.job()
    progress, outlook = Progress(job.objective, job.epochs), Outlook.of(job)
    story = [event for _, event in read(experiment.journal_file)]
    is_recorded = not is_asked_again and any(isinstance(event, events.TimeLeftEstimated) for event in story)
    found: list[Check] = []
    said: list[tuple[float, TimeLeft]] = []
    moments = Moments()
    for event in story:
        progress.apply(event)
        match event:
            case events.ExperimentStarted():
                moments, said = Moments(), []
            case events.TimeLeftEstimated(seconds=seconds, band=band) if is_recorded:
                said.append((event.time, TimeLeft(seconds, band)))
            case events.ExperimentFinished(status=ExperimentStatus.COMPLETED):
                found += [Check(left, event.time - at) for at, left in said]
            case _ if not is_recorded and moments.is_due(event):
                left = time_left(progress, outlook)
                said += [(event.time, left)] if left else []
    return found
