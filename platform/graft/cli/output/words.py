"""How numbers of a run read: scores, states, clocks and the time left."""

from graft.experiments.progress import Progress, TrialProgress
from graft.experiments.standing.time_left import time_left
from graft.journal.events import NodesCounted, TrialStatus
from graft.search.outlook import Outlook
from graft.spec.metrics import shown


def score(progress: Progress, trial: TrialProgress) -> str:
    """The best value of a trial."""
    return shown(progress.score(trial))


def state(trial: TrialProgress) -> str:
    """How a trial stands, or why it ended."""
    if trial.status == TrialStatus.STOPPED:
        return f"stopped at epoch {trial.rung}"
    if trial.status == TrialStatus.FAILED:
        return f"failed: {trial.reason}"
    return trial.status


def ended(progress: Progress) -> int:
    """How many trials do not run any more."""
    return len(progress.trials) - len(progress.tally.running)


def planned(outlook: Outlook) -> str:
    """How many trials there will be at most."""
    return "…" if outlook.trials is None else str(outlook.trials)


def left(progress: Progress, outlook: Outlook, now: float | None = None) -> str:
    """``1:20 ± 0:30 left``; empty if nothing can be said."""
    found = time_left(progress, outlook, now)
    return f"{clock(found.seconds)} ± {clock(found.band)} left" if found and found.seconds else ""


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are some."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def nodes(counted: NodesCounted) -> str:
    """Nodes of a cluster that grows, and what they have cost: ``4 gpu_spot, 1 data; 1.23 spent``."""
    there = ", ".join(f"{count} {kind}" for kind, count in counted.nodes.items()) or "none"
    return f"{there}; {counted.cost:.2f} spent" if counted.cost else there
