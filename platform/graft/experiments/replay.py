"""Replaying: train on this job's data what an earlier search has found, instead of searching."""

from pathlib import Path

from graft.core.errors import ArtifactError, SpecError
from graft.core.storage import Home, read_json
from graft.experiments.directory import Experiment
from graft.search.strategy_schedule import Schedule, parse_schedule
from graft.spec.job import Job
from graft.spec.search.search import NoScheduler
from graft.spec.space.space import StrategySpace


def find_schedule(source: str, home: Home) -> Schedule:
    """The schedule in a file, or the one that an experiment has found.

    Args:
        source: path of a file, or the name of an experiment.
        home: where experiments are.

    Raises:
        SpecError: it is neither, or holds no schedule that can be replayed here.
    """
    path = Path(source)
    if not path.is_file() and (path.suffix == ".json" or len(path.parts) > 1):
        raise SpecError(f"--replay is `{source}`, but there is no such file; give a schedule.json, or an experiment")
    if not path.is_file():
        path = Experiment.find(home, source).schedule_file
    if not path.is_file():
        raise SpecError(f"--replay is `{source}`, but {path} is not there; the search must have ended with a winner")
    return read_schedule(path)


def read_schedule(path: Path) -> Schedule:
    """The schedule in a file.

    Raises:
        SpecError: it is none, or cannot be replayed here.
    """
    try:
        return parse_schedule(read_json(path), str(path))
    except ArtifactError as error:
        raise SpecError(f"{path} is no strategy schedule ({error}); give a file that a search has saved") from error


def replayed_job(job: Job, schedule: Schedule) -> Job:
    """The job with one strategy instead of a space, and one trial instead of a search; data and all else stay."""
    space = StrategySpace.parse(schedule.stretches[-1].strategy)
    budget = job.search.budget.model_copy(update={"trials": 1})
    changes = {"scheduler": NoScheduler(), "phases": [], "population": None, "budget": budget, "first": []}
    search = job.search.model_copy(update=changes)
    return job.model_copy(update={"strategy": space, "search": search})
