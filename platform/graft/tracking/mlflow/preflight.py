"""Asks a tracking store that answers whether it will take a run and its model."""

import contextlib
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from graft.core.credentials import redact
from graft.core.errors import TrackingError
from graft.tracking.mlflow.failures import explain, first_line, is_final, is_of_store
from graft.tracking.mlflow.store import ensure_experiment, open_client, require_active
from graft.tracking.target import Target

from mlflow.exceptions import MlflowException  # isort: skip

# Written to prove that it can be.
WRITABLE_TAG = "graft.writable"


def check_store(target: Target, model_name: str | None, is_embedded: bool = False) -> str:
    """Find out whether a store will take a run and its model; see `graft.tracking.preflight.check_target`.

    Raises:
        TrackingError: it will never.
    """
    try:
        client = open_client(target)
        if model_name is not None:
            _check_model(client, target, model_name)
        return _check_experiment(client, target, is_embedded)
    except Exception as error:
        if not is_of_store(error):
            raise
        if is_final(error):
            raise TrackingError(explain(error, target)) from error
        return explain(error, target)


def _check_experiment(client: Any, target: Target, is_embedded: bool) -> str:
    database = target.database()
    if database is None:
        return _write(client, target, ensure_experiment(client, target))
    found = client.get_experiment_by_name(target.experiment)
    if found is not None:
        require_active(found, target)
        if is_embedded:
            _require_inside(found, target)
    _require_writable(database)
    return ""


def _write(client: Any, target: Target, experiment_id: str) -> str:
    """Change something of no importance. MLflow's client keeps to itself what a server says with a status of 500."""
    try:
        client.set_experiment_tag(experiment_id, WRITABLE_TAG, "yes")
    except MlflowException as error:
        if is_final(error):
            raise
        return f"tracking store {redact(target.uri)} can be read, but not written ({first_line(error)})"
    return ""


def _require_inside(experiment: Any, target: Target) -> None:
    """A home that was moved leaves experiments behind whose files MLflow would put where the home was."""
    location = str(experiment.artifact_location)
    if not location.startswith("file:") or target.artifact_root is None:
        return
    directory = Path(urllib.request.url2pathname(urllib.parse.urlsplit(location).path))
    if not directory.resolve().is_relative_to(target.artifact_root.resolve()):
        raise TrackingError(
            f"MLflow experiment `{target.experiment}` keeps its files in {directory}, which is not in "
            f"{target.artifact_root}: the home was moved; put it back, or choose another with "
            "--set tracking.experiment=NAME"
        )


def _require_writable(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
        except sqlite3.OperationalError as error:
            # Somebody who writes at the moment proves it as well.
            if "locked" not in str(error):
                raise TrackingError(
                    f"tracking database {database} cannot be written ({error}); "
                    "change its owner or permissions, or choose another"
                ) from error


def _check_model(client: Any, target: Target, name: str) -> None:
    """MLflow keeps prompts beside models, under the same names."""
    if client.get_prompt(name) is not None:
        raise TrackingError(
            f"model name `{name}` is that of a prompt in tracking store {redact(target.uri)}, so that no model can be "
            "registered; choose another export.model_name, or set export.register to false"
        )
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
