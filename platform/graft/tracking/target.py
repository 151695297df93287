"""Where an experiment is shown: which tracking store, under which name, and how its runs are told apart."""

import uuid
from dataclasses import dataclass
from pathlib import Path

from graft.core.credentials import redact
from graft.core.errors import TrackingError
from graft.core.storage import Home, text_digest
from graft.spec.job import Job

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "graft-tracking")


@dataclass(frozen=True)
class Target:
    """A place in a tracking store.

    Attributes:
        uri: tracking URI, ``sqlite:////absolute/path`` or ``http(s)://…`` or whatever else MLflow takes.
        experiment: name of the MLflow experiment.
        artifact_root: directory for artifacts, given when the store is embedded, so that no server knows one.
    """

    uri: str
    experiment: str
    artifact_root: Path | None = None

    def digest(self) -> str:
        """Names this target in files, without the password its URI may hold."""
        return text_digest(f"{self.uri}\n{self.experiment}")[:16]

    def database(self) -> Path | None:
        """The SQLite file, if the store is one."""
        if not self.uri.startswith("sqlite:"):
            return None
        return Path(self.uri.removeprefix("sqlite:///").partition("?")[0])

    def check(self) -> None:
        """Refuse what MLflow would take and then scatter.

        Raises:
            TrackingError: the URI is a bare path, a ``file:`` store, or a relative SQLite path: each process would
                write to a directory of its own.
        """
        database = self.database()
        if database is not None and not database.is_absolute():
            raise TrackingError(
                f"tracking.uri is {self.uri}, but a SQLite path must be absolute; write sqlite:///{database.absolute()}"
            )
        if "://" not in self.uri and database is None and not self.uri.startswith("databricks"):
            raise TrackingError(
                f"tracking.uri is `{redact(self.uri)}`, but must be a URI such as sqlite:////path/mlflow.db or "
                "http://host:5000; leave it out for the embedded store"
            )
        if self.uri.startswith("file:"):
            raise TrackingError(
                f"tracking.uri is {self.uri}, but MLflow has no file store any more; use sqlite:////path"
            )


def target_of(home: Home, job: Job) -> Target:
    """Where a job's runs are recorded: its own store, or the one in the home."""
    if job.tracking.uri:
        return Target(job.tracking.uri, job.experiment_name)
    return Target(home.tracking_uri, job.experiment_name, home.artifact_root)


def run_key(experiment_key: str, part: str = "") -> str:
    """What a run is found by, whoever looks: the experiment's parent run, or with `part` the run of a trial.

    MLflow chooses run ids itself, so a create that may have happened is only safe to repeat after a search for this.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{experiment_key}\x1f{part}"))
