"""An MLflow tracking store: opening it, its experiment, and runs that exist once."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from graft.core.credentials import redact
from graft.core.errors import StoreBusyError, TrackingError
from graft.tracking.environment import settle_environment
from graft.tracking.mlflow.embedded_database import open_database
from graft.tracking.mlflow.failures import explain, is_busy, is_of_store
from graft.tracking.mlflow.filters import tag_is
from graft.tracking.target import Target

settle_environment()

from mlflow import MlflowClient  # noqa: E402  (its import reads the environment)
from mlflow.exceptions import MlflowException  # noqa: E402

KEY_TAG = "graft.key"
EXPERIMENT_KEY_TAG = "graft.experiment_key"


class Store:
    """An open tracking store and its one experiment.

    Attributes:
        target: where it is.
        client: MLflow's client for it.
        experiment_id: MLflow's id of the experiment.
    """

    def __init__(self, target: Target, client: Any, experiment_id: str) -> None:
        self.target = target
        self.client = client
        self.experiment_id = experiment_id

    def find_runs(self, key: str) -> list[str]:
        """Ids of the runs with this key, the one to keep first; more than one only after a lost answer."""
        found = self.client.search_runs(
            [self.experiment_id],
            tag_is(KEY_TAG, key),
            order_by=["attributes.start_time ASC", "attributes.run_id ASC"],
        )
        return [run.info.run_id for run in found]

    def ensure_run(self, key: str, name: str, start: float, tags: Mapping[str, str]) -> str:
        """Id of the one run with this key, created if there is none; `start` in seconds since the epoch."""
        found = self.find_runs(key)
        for ghost in found[1:]:
            self.client.delete_run(ghost)
        if found:
            return found[0]
        run = self.client.create_run(
            self.experiment_id, start_time=milliseconds(start), tags={**tags, KEY_TAG: key}, run_name=name
        )
        return str(run.info.run_id)


def open_store(target: Target) -> Store:
    """Open the store and its experiment; both are created where they do not exist.

    Raises:
        TrackingError: it can never be used like this: a bad URI, a database of another version, a deleted experiment.
        MlflowException: it does not answer now.
    """
    client = open_client(target)
    return Store(target, client, ensure_experiment(client, target))


def open_client(target: Target) -> Any:
    """MLflow's client for a store, whose tables are created if it is a SQLite file that does not exist.

    Raises:
        TrackingError: the store can never be used like this.
        MlflowException: it does not answer now.
    """
    target.check()
    database = target.database()
    if database is None:
        return MlflowClient(target.uri, registry_uri=target.uri)
    return open_database(target.uri, database, target.artifact_root)


def ensure_experiment(client: Any, target: Target) -> str:
    """Id of the target's experiment, which is created if there is none.

    Raises:
        TrackingError: it was deleted.
        MlflowException: the store does not answer now, or refuses.
    """
    found = client.get_experiment_by_name(target.experiment)
    if found is None:
        try:
            return str(client.create_experiment(target.experiment, artifact_location=target.artifact_location()))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(target.experiment)
    require_active(found, target)
    return str(found.experiment_id)


def require_active(experiment: Any, target: Target) -> None:
    """MLflow gives the name of a deleted experiment to no other.

    Raises:
        TrackingError: the experiment was deleted.
    """
    if experiment.lifecycle_stage != "active":
        store = shlex.quote(redact(target.uri))
        raise TrackingError(
            f"MLflow experiment `{target.experiment}` was deleted; restore it (`MLFLOW_TRACKING_URI={store} "
            f"mlflow experiments restore -x {experiment.experiment_id}`), or choose another tracking.experiment"
        )


@contextlib.contextmanager
def tracking_errors(target: Target) -> Iterator[None]:
    """Turn what MLflow and the libraries below it raise into the one line that a user can act on."""
    try:
        yield
    except Exception as error:
        if not is_of_store(error):
            raise
        kind = StoreBusyError if is_busy(error) else TrackingError
        raise kind(explain(error, target)) from error


def milliseconds(seconds: float) -> int:
    """MLflow's unit of time."""
    return round(seconds * 1000)
