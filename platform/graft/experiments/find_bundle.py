"""Finds the bundle that a user means by a directory, an experiment or a registered model."""

import os
from dataclasses import dataclass
from pathlib import Path

from graft.core.credentials import redact
from graft.core.errors import ArtifactError, SpecError
from graft.core.private_files import make_private_directory
from graft.core.storage import Home
from graft.core.stores.copy import bring_tree
from graft.core.uris import is_there, sqlite_path
from graft.experiments.directory import Experiment
from graft.experiments.registered import registration_of
from graft.models.bundle_files import MANIFEST
from graft.spec.tracking.names import store_address_problem
from graft.tracking.environment import settle_environment
from graft.tracking.mlflow.embedded_registry import version_in
from graft.tracking.model_uri import SCHEME, ModelUri


@dataclass(frozen=True)
class Registered:
    """A version of a registered model.

    Attributes:
        directory: with the files that were registered.
        uri: the version, by its number.
    """

    directory: Path
    uri: str


def find_bundle(model: str, home: Home) -> Path:
    """The directory of a bundle.

    Args:
        model: a bundle directory; a ``models:/name``, ``models:/name@alias`` or ``models:/name/3`` URI; an experiment
            or the name of a job, which means the bundle of its newest experiment.
        home: where experiments and the tracking store are; ``MLFLOW_TRACKING_URI`` names another store.

    Raises:
        SpecError: nothing of that name is there, nor such a version of it.
        ArtifactError: the experiment has no bundle (yet), or a registered model is not what was registered.
        TrackingError: the store does not answer.
    """
    home.close()
    if model.startswith(SCHEME):
        return find_registered(model, home).directory
    if _is_bundle(model):
        return Path(model)
    experiment = _experiment(model, home)
    if not (bring_tree(experiment.bundle) / MANIFEST).is_file():
        raise ArtifactError(
            f"experiment {experiment.name} has no bundle; finish it with `graft resume {experiment.name}`"
        )
    return experiment.bundle


def find_registered(uri: str, home: Home) -> Registered:
    """The files of a registered model: a bundle, or a meta-model, as they were when it was registered.

    Args:
        uri: ``models:/name``, ``models:/name@alias`` or ``models:/name/3``.
        home: as for `find_bundle`.

    Raises:
        SpecError: it is no such address, or the store has no such model or version.
        ArtifactError: it is not what was registered.
        TrackingError: the store does not answer.
    """
    wanted = ModelUri.parse(uri)
    store = _store(uri, home)
    if store == home.tracking_uri and (here := _registered_here(wanted, home)):
        return here
    settle_environment()
    from graft.tracking.mlflow.registration import fetch_bundle, version_of  # MLflow takes seconds to import

    make_private_directory(home.root)

    def recorded(name: str, version: str) -> str | None:
        found = registration_of(home, store, name, version)
        return found.digest if found else None

    version = str(version_of(store, uri))
    return Registered(fetch_bundle(store, version, home.models, recorded), version)


def pinned_model(model: str, home: Home) -> str:
    """The address of a model that means the same whenever it is read: a number for an alias, an experiment for a job.

    Args:
        model: as for `find_bundle`.
        home: where experiments and the tracking store are.

    Raises:
        SpecError: nothing of that name is there.
        TrackingError: the store does not answer or has no such model.
    """
    home.close()
    if not model.startswith(SCHEME):
        return str(Path(model).absolute()) if _is_bundle(model) else _experiment(model, home).name
    wanted = ModelUri.parse(model)
    store = _store(model, home)
    version = version_in(home.database, wanted) if store == home.tracking_uri else None
    if version:
        return str(ModelUri(wanted.name, version=version))
    settle_environment()
    from graft.tracking.mlflow.registration import version_of  # MLflow takes seconds to import

    return str(version_of(store, model))


def _is_bundle(model: str) -> bool:
    return (Path(model) / MANIFEST).is_file()


def _experiment(model: str, home: Home) -> Experiment:
    """The experiment of a name, which the folder of its data may have too: `graft init photos` calls its job photos."""
    try:
        return Experiment.find(home, model)
    except SpecError as error:
        if not is_there(Path(model)):
            if "/" not in model:
                raise
            told = f"{model} does not exist; name the directory of a bundle, an experiment or a {SCHEME} URI"
            raise SpecError(told) from error
        raise SpecError(
            f"{model} is not a bundle (no {MANIFEST} in it), nor an experiment of {home.shown}; name a bundle, an "
            f"experiment or a {SCHEME} URI"
        ) from error


def _store(uri: str, home: Home) -> str:
    """Address of the tracking store that is asked."""
    named = os.environ.get("MLFLOW_TRACKING_URI")
    if named and (problem := store_address_problem(named)):
        raise SpecError(f"MLFLOW_TRACKING_URI is `{redact(named)}`, but {problem}; unset it to look in {home.root}")
    database = sqlite_path(named) if named else None
    if database is not None and not database.exists():  # MLflow would make one, to look into
        raise SpecError(f"MLFLOW_TRACKING_URI is `{named}`, but {database} is not there; correct it, or unset it")
    store = named or home.tracking_uri
    if store == home.tracking_uri and not home.database.exists():
        raise SpecError(
            f"{uri} is not there: {home.root} has no runs yet; start one with `graft run`, or name its --home"
        )
    return store


def _registered_here(wanted: ModelUri, home: Home) -> Registered | None:
    """A version that was registered from this home, as long as its files are on this machine."""
    version = version_in(home.database, wanted)
    found = registration_of(home, home.tracking_uri, wanted.name, version) if version else None
    directory = found.bundle(home) if found else None
    return Registered(directory, str(ModelUri(wanted.name, version=version))) if directory else None
