"""An experiment's directory: where everything one run of a job produces is kept and found again."""

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from graft.core.errors import ArtifactError, SpecError
from graft.core.passing_errors import reason_of
from graft.core.private_files import read_regular
from graft.core.registry import unknown
from graft.core.storage import Home, write_text
from graft.core.stores.copy import Copy, bring, publish
from graft.experiments.sharing import fetch
from graft.journal.events import ExperimentStarted
from graft.journal.journal import read
from graft.spec.job import Job
from graft.spec.messages.problems import findings_of
from graft.spec.messages.rules import dotted

JOB_NAME = "job.yaml"
TRAININGS = "trainings"
"""Below the directory of a meta-model's name."""
CONTACT_S = 10.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def new_name(job: Job) -> str:
    """A name for another experiment of a job."""
    return f"{job.name}-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def require_name(name: str) -> str:
    """A name that an experiment can have.

    Raises:
        SpecError: it cannot be a directory's everywhere.
    """
    if not _NAME.fullmatch(name):
        raise SpecError(
            f"experiment is `{name}`, but must be at most 100 letters, digits, `-`, `_`, `.`, and begin with a letter "
            "or digit; name another"
        )
    return name


@dataclass(frozen=True)
class Kind:
    """What a command leaves behind, and how that is named, read and gone on with.

    Attributes:
        name: for the user.
        name_of: of an experiment, from its directory.
        job_name_of: of its job, from its directory.
        goes_on_by: the command that goes on with an experiment, from its name.
        read_job: its job, from what is stored of it.
    """

    name: str
    name_of: Callable[[Path], str]
    job_name_of: Callable[[Path], str]
    goes_on_by: Callable[[str], str]
    read_job: Callable[[Any], Job]


def _run_name(directory: Path) -> str:
    return directory.name


def _run_job(directory: Path) -> str:
    return re.sub(r"-\d{8}-\d{6}-[0-9a-f]{4}$", "", directory.name)


def _resumed(name: str) -> str:
    return f"graft resume {name}"


def _meta_name(directory: Path) -> str:
    return f"{_meta_job(directory)}-{directory.name}"


def _meta_job(directory: Path) -> str:
    return directory.parent.parent.name


def _trained_again(name: str) -> str:
    return "graft meta-train JOB, as it was called"


def _as_search(stored: Any) -> Job:
    """A job of meta-training, told in the terms of any search."""
    from graft.spec.meta.job import MetaJob  # most experiments are none
    from graft.spec.meta.search_job import search_job

    asked = MetaJob.read_stored(stored)
    job, minutes = search_job(asked), asked.search.budget.minutes if asked.search else None
    budget = job.search.budget.model_copy(update={"minutes": minutes})
    return job.model_copy(update={"search": job.search.model_copy(update={"budget": budget})})


# Functions of a module, which processes can be sent.
RUN = Kind("run", _run_name, _run_job, _resumed, Job.read_stored)
META_TRAINING = Kind("meta-training", _meta_name, _meta_job, _trained_again, _as_search)


@dataclass(frozen=True)
class Experiment:
    """One run of a job: its name and the layout of its directory.

    Attributes:
        directory: where it lies.
        kind: which command has made it.
    """

    directory: Path
    kind: Kind = RUN

    @classmethod
    def create(cls, home: Home, job: Job, name: str | None = None) -> "Experiment":
        """Make a new directory and write the job into it; its name is the job's and the time, if none is given."""
        directory = home.experiments / (name or new_name(job))
        directory.mkdir(parents=True)
        experiment = cls(directory)
        write_text(experiment.job_file, yaml.safe_dump(job.model_dump(mode="json"), sort_keys=False))
        publish(experiment.job_file)
        return experiment

    @classmethod
    def at(cls, home: Home, name: str) -> "Experiment":
        """The experiment of exactly that name, which is there.

        Raises:
            GraftError: the home is a store that does not answer.
        """
        experiment = cls(home.experiments / name)
        fetch(experiment.directory, experiment.journal_file)
        return experiment

    @classmethod
    def find(cls, home: Home, name: str) -> "Experiment":
        """The experiment of that name; the name of a job, or ``latest``, means its newest one.

        Raises:
            SpecError: there is none.
        """
        found = _chosen(home, name, [cls(home.experiments / one) for one in cls.names(home)])
        return cls.at(home, found.name)

    @classmethod
    def names(cls, home: Home) -> list[str]:
        """All experiments of a home, newest first.

        Raises:
            GraftError: the home is a store that does not answer.
        """
        if (copy := Copy.of(home.root)) is not None:
            prefix = f"{copy.key(home.experiments)}/"
            known = copy.asked(lambda storage: list(storage.folders(prefix)), CONTACT_S)
            entries = [bring(home.experiments / name / JOB_NAME, is_final=True).parent for name in known]
        elif not home.experiments.is_dir():
            return []
        else:
            entries = list(home.experiments.iterdir())
        found = [entry for entry in entries if (entry / JOB_NAME).is_file()]
        return [
            entry.name for entry in sorted(found, key=lambda entry: (entry / JOB_NAME).stat().st_mtime, reverse=True)
        ]

    @property
    def name(self) -> str:
        return self.kind.name_of(self.directory)

    @property
    def goes_on_by(self) -> str:
        """The command that goes on with it."""
        return self.kind.goes_on_by(self.name)

    @property
    def key(self) -> str:
        """What its MLflow runs are found by: the name that it had when it began."""
        begun = read(self.journal_file) if self.journal_file.exists() else iter(())
        return next((event.key for _, event in begun if isinstance(event, ExperimentStarted)), self.name)

    @property
    def heartbeats(self) -> Path:
        """Where processes that train show that they get on."""
        return self.directory / "heartbeats"

    @property
    def job_name(self) -> str:
        """The name of its job."""
        return self.kind.job_name_of(self.directory)

    @property
    def job_file(self) -> Path:
        return self.directory / JOB_NAME

    @property
    def journal_file(self) -> Path:
        return self.directory / "journal.jsonl"

    @property
    def log_file(self) -> Path:
        return self.directory / "log.txt"

    @property
    def result_file(self) -> Path:
        return self.directory / "result.json"

    @property
    def report_file(self) -> Path:
        return self.directory / "report.json"

    @property
    def leaderboard_file(self) -> Path:
        return self.directory / "leaderboard.json"

    @property
    def schedule_file(self) -> Path:
        """What the winner was trained under, epoch by epoch; `graft run --replay` takes it."""
        return self.directory / "schedule.json"

    @property
    def replay_file(self) -> Path:
        """The schedule that this experiment replays; a search has none."""
        return self.directory / "replay.json"

    @property
    def stages(self) -> Path:
        return self.directory / "stages"

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def bundle(self) -> Path:
        return self.directory / "bundle"

    @property
    def exports(self) -> Path:
        """Other forms of the model, a directory for each."""
        return self.directory / "exports"

    @property
    def final(self) -> Path:
        """Weights that the fit makes."""
        return self.directory / "final"

    @property
    def tune(self) -> Path:
        return self.directory / "tune"

    def job(self) -> Job:
        """The job as it was run.

        Raises:
            ArtifactError: its file is missing or damaged.
        """
        try:
            return self.kind.read_job(yaml.safe_load(read_regular(self.job_file)))
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            told = f"{self.job_file} cannot be read as a job ({_reason(error)})"
            raise ArtifactError(f"{told}; put it back from a copy, or run the job anew") from error


def meta_trainings(home: Home) -> list[Experiment]:
    """What `graft meta-train` has made in a home; a home in a store has none but those of this machine."""
    found = home.meta_models.glob(f"*/{TRAININGS}/*/{JOB_NAME}")
    return [Experiment(path.parent, META_TRAINING) for path in found]


def recorded(home: Home) -> list[Experiment]:
    """All that a home has the journal of, newest first: the runs of jobs, and meta-trainings.

    Raises:
        GraftError: the home is a store that does not answer.
    """
    runs = [Experiment(home.experiments / name) for name in Experiment.names(home)]
    return sorted([*runs, *meta_trainings(home)], key=lambda one: one.job_file.stat().st_mtime, reverse=True)


def find_recorded(home: Home, name: str) -> Experiment:
    """The run or meta-training of that name; the name of a job, or ``latest``, means its newest one.

    Raises:
        SpecError: there is none.
    """
    found = _chosen(home, name, recorded(home))
    return found if found.kind == META_TRAINING else Experiment.at(home, found.name)


def _chosen(home: Home, name: str, known: Sequence[Experiment]) -> Experiment:
    """The one that is meant, of all that may be, newest first."""
    named = (one for one in known if one.name == name)
    newest = (one for one in known if name in ("latest", one.job_name))
    if found := next(named, None) or next(newest, None):
        return found
    if not known:
        raise SpecError(
            f"experiment is `{name}`, but {home.shown}/experiments holds none yet; start one with `graft run`"
        )
    raise SpecError(unknown("experiment", name, ["latest", *(one.name for one in known[:20])]))


def _reason(error: Exception) -> str:
    """Why a stored job is none, in our words."""
    if isinstance(error, ValidationError):
        finding = findings_of(error, Job)[0]
        return f"{dotted(finding.path) or 'it'} {finding.message}"[:200]
    if isinstance(error, yaml.YAMLError | RecursionError):
        mark = getattr(error, "problem_mark", None)
        return "it is no YAML" + (f" from line {mark.line + 1} on" if mark else "")
    return reason_of(error)
