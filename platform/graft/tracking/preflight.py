"""What can be found out about a tracking store before a run, so that nothing of it shows only after hours."""

import os
import socket
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from graft.core.credentials import redact
from graft.core.errors import TrackingError
from graft.spec.tracking.names import is_database
from graft.tracking.environment import settle_environment
from graft.tracking.server import is_up
from graft.tracking.target import Target

_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_TIMEOUT_S = 3.0
# What MLflow stores of the address of an experiment's files; a letter that is none of ASCII counts as up to twelve.
_MAX_LOCATION = 2048


def check_target(target: Target, model_name: str | None, is_embedded: bool = False) -> str:
    """Find out whether a store will take a run and its model.

    A store that does not answer is no reason not to run: the relay waits for it.

    Args:
        target: where the run is to be recorded.
        model_name: what its model is to be registered as, if at all.
        is_embedded: whether the store is that of the home, so that all of its files lie there.

    Returns:
        Why it could not be asked, in a sentence; empty if all is well.

    Raises:
        TrackingError: it can never work, refuses the login or to be written, or the experiment or the model cannot be.
    """
    target.check()
    _check_location(target)
    database = target.database()
    if database is not None and not database.exists():
        _require_place(database)
        return ""
    absence = f"tracking store {redact(target.uri)} does not answer" if not _is_there(target.uri) else ""
    if not absence:
        settle_environment()
        from graft.tracking.mlflow.preflight import check_store  # MLflow takes seconds to import

        absence = check_store(target, model_name, is_embedded)
    return f"{absence}; the run goes on, and `graft track sync` brings there what is missing" if absence else ""


def foreign_settings(target: Target, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What a user's shell says of the way to MLflow that the job says otherwise; a sentence for each."""
    decided = {"MLFLOW_TRACKING_URI": ("uri", target.uri), "MLFLOW_EXPERIMENT_NAME": ("experiment", target.experiment)}
    return [
        f"{name} is {redact(environment[name])}, but runs are recorded in {redact(mine)}, as the job says; "
        f"set tracking.{key} to have them there"
        for name, (key, mine) in decided.items()
        if environment.get(name, mine) not in ("", mine)
    ]


def _check_location(target: Target) -> None:
    location = target.artifact_location() or ""
    if len(location) > _MAX_LOCATION:
        raise TrackingError(
            f"{target.artifact_root} has {len(location)} characters as URI, but MLflow stores at most {_MAX_LOCATION}; "
            "choose a shorter path"
        )


def _require_place(database: Path) -> None:
    """A database that is not there yet must have a directory to be made in."""
    there = next(parent for parent in database.parents if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise TrackingError(f"tracking database {database} cannot be made in {there}; choose another tracking.uri")


def _is_there(uri: str) -> bool:
    """Whether somebody listens: asked first, because MLflow tries for minutes."""
    if uri.startswith(("http:", "https:")):
        return is_up(uri)
    parts = urllib.parse.urlsplit(uri)
    if not is_database(uri) or not parts.hostname:
        return True
    try:
        port = parts.port or _PORTS[parts.scheme.partition("+")[0]]
        socket.create_connection((parts.hostname, port), _TIMEOUT_S).close()
    except OSError:
        return False
    return True
