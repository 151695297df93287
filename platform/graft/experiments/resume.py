"""Going on with an experiment: which one a job would go on with, what may be changed, which trials are tried again."""

from collections.abc import Sequence
from typing import Any

import yaml

from graft.core.errors import ArtifactError, Problem, SpecError
from graft.core.storage import Home, write_text
from graft.core.stores.copy import drop, drop_tree, publish
from graft.experiments.directory import Experiment
from graft.experiments.progress import Progress
from graft.experiments.stages import StageName, StageState
from graft.journal.events import ExperimentStatus, TrialStatus
from graft.journal.journal import is_being_written
from graft.spec.job import Job
from graft.spec.load import load_job

# Keys that decide when a search ends, what is left on the disk and where runs are shown; anything else would make the
# trials that have ended incomparable with those to come.
CHANGEABLE = tuple(f"search.budget.{name}" for name in ("minutes", "gpu_hours", "cost", "nodes", "target"))
CHANGEABLE += ("keep.checkpoints", "keep.losers", "tracking.uri", "tracking.experiment")
CHANGEABLE += ("memory.keep", "memory.label_names")


def find_unfinished(home: Home, job: Job) -> Experiment | None:
    """The newest experiment of exactly this job, if it was cut off and nobody runs it."""
    wanted = _settled(job)
    for name in Experiment.names(home):
        experiment = Experiment(home.experiments / name)
        if experiment.job_name != job.name:
            continue
        try:
            is_same = _settled(experiment.job()) == wanted
            status = Progress.of(experiment.journal_file, job).status
        except ArtifactError:
            return None
        is_over = status is ExperimentStatus.COMPLETED
        is_free = not (is_over or is_being_written(experiment.journal_file))
        return Experiment.at(home, name) if is_same and is_free else None
    return None


def _settled(job: Job) -> dict[str, Any]:
    """A job with the task and the metric that its data decide: experiments of older graft hold none."""
    plain = job.model_dump(mode="json")
    if job.decided_task.metrics:
        plain["task"] = job.decided_task.model_dump(mode="json")
        plain["search"]["metric"] = job.objective.name
    return plain


def change_job(experiment: Experiment, overrides: Sequence[str]) -> None:
    """Write a changed job into an experiment that is to go on.

    Raises:
        SpecError: a key may not change any more, or its value is wrong.
    """
    keys = [override.partition("=")[0].strip() for override in overrides]
    fixed = [key for key in keys if key not in CHANGEABLE]
    if fixed:
        allowed = ", ".join(CHANGEABLE)
        told = f"cannot change in an experiment that goes on, only {allowed}; start a new one with `graft run`"
        raise SpecError([Problem(key, told) for key in fixed])
    job = load_job(experiment.job_file, overrides)
    write_text(experiment.job_file, yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False))
    publish(experiment.job_file)


def failed_trials(progress: Progress) -> list[str]:
    """Which trials can be tried again: the failed ones of the phase that came last.

    Raises:
        SpecError: there are none.
    """
    failed = [trial for trial in progress.trials.values() if trial.status == TrialStatus.FAILED]
    last = max((trial.phase for trial in progress.trials.values()), default=0)
    found = [trial.trial for trial in failed if trial.phase == last]
    if not found and failed:
        raise SpecError(
            f"{len(failed)} trials have failed, but in phase {failed[0].phase + 1}, and phase {last + 1} has gone on "
            "from what that phase had; start a new experiment with `graft run`"
        )
    if not found:
        raise SpecError("no trial has failed, so there is nothing to try again; `graft resume` alone goes on")
    return found


def reopen(experiment: Experiment) -> None:
    """Have every stage from the search on run again; what the search has recorded stays."""
    for stage in list(StageName)[1:]:
        drop(experiment.stages / f"{stage}.json")
    # A fit that was cut off belongs to the winner there was.
    drop_tree(experiment.final)


def where_it_stands(progress: Progress) -> dict[str, Any] | None:
    """From where a run goes on: the stage, the trials that have ended, the seconds spent; None for a new experiment."""
    if not progress.runs:
        return None
    done = {name for name, stage in progress.stages.items() if stage.state in (StageState.DONE, StageState.SKIPPED)}
    stage = next((str(name) for name in StageName if name not in done), None)
    ended = sum(trial.has_ended for trial in progress.trials.values())
    return {"stage": stage, "trials": ended, "seconds": round(progress.spent, 2)}
