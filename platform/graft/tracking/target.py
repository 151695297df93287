"""Where an experiment is shown: which tracking store, under which name, and how its runs are told apart."""

import re
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from graft.core.credentials import redact
from graft.core.errors import TrackingError
from graft.core.storage import Home, text_digest
from graft.core.uris import file_uri, inside, sqlite_path
from graft.spec.job import Job
from graft.spec.meta.job import MetaJob
from graft.spec.tracking.names import is_database, store_address_problem

# Names that directories can have on every file system.
_PLAIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_. -]{0,98}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"CON|PRN|AUX|NUL|COM\d|LPT\d", re.IGNORECASE)
_READABLE = 64

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graft-tracking")


@dataclass(frozen=True)
class Target:
    """A place in a tracking store.

    Attributes:
        uri: tracking URI, ``sqlite:////absolute/path`` or ``http(s)://…`` or whatever else MLflow takes.
        experiment: name of the MLflow experiment.
        artifact_root: directory for artifacts, given when the store is a database, so that no server knows one.
        named_by: what of the user's names the store, for errors.
    """

    uri: str
    experiment: str
    artifact_root: Path | None = None
    named_by: str = field(default="tracking.uri", compare=False)

    def digest(self) -> str:
        """Names this target in files, without the password its URI may hold."""
        return text_digest(f"{self.uri}\n{self.experiment}")[:16]

    def database(self) -> Path | None:
        """The SQLite file, if the store is one."""
        return sqlite_path(self.uri)

    @property
    def is_unmade(self) -> bool:
        """Whether the store is a database that nobody has made yet, so that it holds nothing."""
        database = self.database()
        return database is not None and not database.exists()

    def artifact_location(self) -> str | None:
        """URI of the directory for the experiment's files; None if the server chooses it.

        Raises:
            ArtifactError: it would not lie in the root.
        """
        if self.artifact_root is None:
            return None
        return file_uri(inside(self.artifact_root, directory_name(self.experiment)))

    def check(self) -> None:
        """Refuse what MLflow would take and then scatter.

        Raises:
            TrackingError: the address can never work, or each process would write to a directory of its own.
        """
        problem = store_address_problem(self.uri)
        if problem:
            raise TrackingError(f"{self.named_by} is `{redact(self.uri)}`, but {problem}")


def directory_name(name: str) -> str:
    """What a directory is called for a name, on every file system: the name itself if it can be."""
    if _PLAIN.fullmatch(name) and not _RESERVED.fullmatch(name.partition(".")[0].rstrip()):
        return name
    readable = re.sub(r"[^A-Za-z0-9_]+", "-", name)[:_READABLE].strip("-")
    return f"{readable or 'experiment'}-{text_digest(name)[:8]}"


def target_of(home: Home, job: Job | MetaJob) -> Target:
    """Where a job's runs are recorded: its own store, or the one in the home.

    A server keeps files itself. A database does not, and MLflow would put them wherever a process was started: they lie
    beside a SQLite file, and in the home for other databases.
    """
    uri = job.tracking.uri or home.tracking_uri
    database = sqlite_path(uri)
    if database is not None:
        return Target(uri, job.experiment_name, database.parent / home.artifact_root.name)
    return Target(uri, job.experiment_name, home.artifact_root if is_database(uri) else None)


def run_key(experiment_key: str, part: str = "") -> str:
    """What a run is found by, whoever looks: the experiment's parent run, or with `part` the run of a trial.

    MLflow chooses run ids itself, so a create that may have happened is only safe to repeat after a search for this.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{experiment_key}\x1f{part}"))
