"""What a run does at this moment, in words, while no numbers say it yet. Pure."""

from dataclasses import dataclass

from graft.experiments.progress import RUNNING, Progress
from graft.experiments.stages import StageName, StageState
from graft.spec.messages.counting import counted

_DOES = {
    StageName.INGEST: "reading the data",
    StageName.FIT: "training the final model",
    StageName.EVALUATE: "scoring the test data",
    StageName.EXPORT: "writing the bundle",
    StageName.REGISTER: "registering the model in MLflow",
}


@dataclass(frozen=True)
class Activity:
    """What is going on, and since when (seconds since the epoch; 0 if that is not known)."""

    what: str
    since: float


def activity(progress: Progress) -> Activity:
    """What the run does now, or did last."""
    running = [name for name, stage in progress.stages.items() if stage.state is StageState.RUNNING]
    if progress.status is not None:
        return Activity("sending the last records to MLflow", progress.now)
    if not running:
        return _between(progress)
    name = running[-1]
    if name == StageName.SEARCH:
        return _search(progress)
    stage = progress.stages[name]
    return Activity(_DOES.get(StageName(name), name) + (f": {stage.detail}" if stage.detail else ""), stage.started)


def _between(progress: Progress) -> Activity:
    if not progress.stages:
        return Activity("starting Ray", progress.started)
    before = next(reversed(progress.stages))
    return Activity("starting the search" if before == StageName.INGEST else f"{before} is done", progress.now)


def _search(progress: Progress) -> Activity:
    began = progress.stages[StageName.SEARCH].started
    running = [trial for trial in progress.trials.values() if trial.status == RUNNING]
    if progress.awaited:
        return Activity(f"waiting {progress.awaited}", began)
    if not progress.phases and not progress.trials:
        return Activity("computing what frozen blocks make of the data", began)
    if progress.search_ended is not None:
        return Activity("choosing the winner", progress.now)
    if not running:
        return Activity("choosing strategies", progress.now)
    if not progress.pace.reported:
        count = len(running)
        return Activity(f"starting {counted(count, 'worker')}", min(trial.started for trial in running))
    silent = max((trial.started + trial.seconds for trial in progress.trials.values()), default=began)
    return Activity(f"training {counted(len(running), 'trial')}", silent)
