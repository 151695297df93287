"""The bundle as a registered MLflow model, and back. The bundle is the only payload: no pickle, no code."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from graft.core.credentials import redact
from graft.core.errors import ArtifactError
from graft.core.storage import directory_digest
from graft.core.uris import inside
from graft.journal.journal import journal_path, read
from graft.tracking.mlflow.failures import is_refusal
from graft.tracking.mlflow.filters import tag_is
from graft.tracking.mlflow.store import KEY_TAG, Store, open_client, open_store, tracking_errors
from graft.tracking.mlflow.writer import Writer
from graft.tracking.model_uri import CHAMPION, HeldVersions, ModelUri, no_such_model, no_such_version
from graft.tracking.projection.operations import EXPERIMENT_RUN
from graft.tracking.projection.projection import ModelDescription, Projection
from graft.tracking.target import Target, run_key

# After graft.tracking.mlflow.store, which settles the environment that MLflow reads when it is imported.
import mlflow.artifacts  # isort: skip
import mlflow.pyfunc  # isort: skip
from mlflow.entities import LoggedModelOutput  # isort: skip
from mlflow.exceptions import MlflowException  # isort: skip
from mlflow.models.model import MLMODEL_FILE_NAME  # isort: skip
from mlflow.models import Model, ModelSignature  # isort: skip
from mlflow.types import ColSpec, DataType, Schema  # isort: skip
from mlflow.utils.logging_utils import suppress_logs  # isort: skip

DIGEST_TAG = "graft.digest"
_FLAVOUR_DATA = "data"
_MODELS_LOOKED_AT = 1000
# What MLflow refuses in the name of a logged model, though not in that of a registered one.
_NOT_IN_LOGGED_NAMES = re.compile(r"""[/:.%"']""")


Recorded = Callable[[str, str], str | None]
"""Digest of the files of a version, by the model's name and the version's number; None if there is no record."""


def _nowhere(name: str, version: str) -> None:
    """Nothing is recorded but what the store says."""


@dataclass(frozen=True)
class ModelPackage:
    """What is registered.

    Attributes:
        bundle: the bundle's directory.
        name: name of the registered model.
        loader_module: importable module whose ``_load_pyfunc(bundle_directory)`` gives an object with ``predict``.
        requirements: pip requirements of that module, such as ``graft==0.1.0``; nothing is inferred.
        inputs: column -> MLflow type name (``string``, ``binary``, ``double``, …) of the table that ``predict`` takes.
        outputs: the same of the table it gives.
        input_example: a table or mapping of columns to lists, shown in the user interface.
        alias: what the version is called.
        tags: of the version.
    """

    bundle: Path
    name: str
    loader_module: str
    requirements: tuple[str, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    input_example: Any = field(default=None, compare=False)
    alias: str = CHAMPION
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RegisteredModel:
    """One version of a registered model; `uri` is ``models:/<name>/<version>``."""

    name: str
    version: str

    @property
    def uri(self) -> str:
        return str(ModelUri(self.name, version=self.version))


def register(experiment_dir: Path, target: Target, package: ModelPackage) -> RegisteredModel:
    """Register the bundle of an experiment under the alias of its package, ``champion`` unless it says otherwise.

    The same bundle of the same experiment is one version, however often this is called. The alias moves forward only:
    it stays with a newer version that another experiment has registered meanwhile.

    Raises:
        TrackingError: the store does not answer or refuses.
        ArtifactError: the bundle or the journal is missing.
    """
    if not package.bundle.is_dir():
        raise ArtifactError(f"bundle {package.bundle} is not a directory; run the export stage again")
    projection = _experiment_of(experiment_dir)
    digest = directory_digest(package.bundle)
    key = run_key(projection.experiment_key, digest)
    with tracking_errors(target):
        store = open_store(target)
        version = _find_version(store, package.name, key)
        if version is None:
            writer = Writer(store, projection.experiment_key, experiment_dir, projection.open_run)
            tags = {**package.tags, KEY_TAG: key, DIGEST_TAG: digest}
            version = _create_version(store, writer.run_id(EXPERIMENT_RUN), package, tags)
            _describe(store, package.name, version, projection.describe_model())
        _promote(store, package.name, version, package.alias)
    return RegisteredModel(package.name, version)


def version_of(tracking_uri: str, model_uri: str) -> ModelUri:
    """The version that an address means now, by its number.

    Raises:
        TrackingError: the store does not answer.
        SpecError: the address is none of a registered model, or the store has no such model or version.
    """
    target = Target(tracking_uri, experiment="", named_by="MLFLOW_TRACKING_URI")
    with tracking_errors(target):
        return _version(open_client(target), ModelUri.parse(model_uri), tracking_uri)


def fetch_bundle(tracking_uri: str, model_uri: str, destination: Path, recorded: Recorded = _nowhere) -> Path:
    """Copy the bundle of a registered model to a directory below `destination`, and return that.

    What is returned has the digest that was recorded when it was registered: whoever may write to a store's files, or
    give an alias to another version, cannot have their model loaded for it.

    Args:
        tracking_uri: the store that knows the model.
        model_uri: as `ModelUri` reads it.
        destination: directory for bundles, by their digests.
        recorded: digest of a version by its name and number, as it stands somewhere the store's users cannot write;
            None asks the store itself.

    Raises:
        TrackingError: the store does not answer.
        SpecError: the address is none of a registered model, or the store has no such model or version.
        ArtifactError: the model was not made by graft, or is not what was registered.
    """
    target = Target(tracking_uri, experiment="", named_by="MLFLOW_TRACKING_URI")
    with tracking_errors(target):
        client = open_client(target)
        named = _version(client, ModelUri.parse(model_uri), tracking_uri)
        location = str(client.get_model_version_download_uri(named.name, named.version))
        found = client.get_model_version(named.name, named.version)
    expected = recorded(found.name, str(found.version)) or found.tags.get(DIGEST_TAG)
    kept = destination / str(expected)[:32]
    if expected and kept.is_dir() and directory_digest(kept) == expected:
        return kept
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination) as scratch:
        with tracking_errors(target):
            local = mlflow.artifacts.download_artifacts(location, dst_path=scratch, tracking_uri=tracking_uri)
        bundle = inside(Path(local), _payload(Path(local, MLMODEL_FILE_NAME)))
        if not (bundle / "manifest.json").is_file():
            raise ArtifactError(f"model {model_uri} holds no graft bundle; it was registered by something else")
        _require_digest(str(named), bundle, expected)
        shutil.rmtree(kept, ignore_errors=True)
        bundle.rename(kept)
    return kept


def _require_digest(uri: str, bundle: Path, expected: str | None) -> None:
    if expected is None:
        raise ArtifactError(
            f"{uri} states no digest of its files, so nobody can tell whether they are what was registered; register "
            "it anew with `graft resume`, or name the directory of the bundle"
        )
    found = directory_digest(bundle)
    if found != expected:
        raise ArtifactError(
            f"{uri} is not what was registered: its files have the digest {found[:16]}…, but must have "
            f"{expected[:16]}…; somebody has changed them; the bundle in the experiment's directory is the original"
        )


def signature_of(inputs: Mapping[str, str], outputs: Mapping[str, str] | None = None) -> ModelSignature:
    """What MLflow knows of the tables that a model takes and gives: column -> type name, of each."""
    return ModelSignature(_schema(inputs), None if outputs is None else _schema(outputs))


def find_run(target: Target, experiment_key: str, run: str = EXPERIMENT_RUN) -> tuple[str, str | None]:
    """MLflow's ids of the experiment and of a run in it, for links; no run if it has not arrived yet.

    Raises:
        TrackingError: the store does not answer or cannot be used.
    """
    with tracking_errors(target):
        store = open_store(target)
        return store.experiment_id, next(iter(store.find_runs(run_key(experiment_key, run))), None)


def _payload(description: Path) -> str:
    """Where the bundle lies in a model. Read here: MLflow would percent-decode the path of the file."""
    try:
        flavours = yaml.safe_load(description.read_text(encoding="utf-8"))["flavors"]
        return str(flavours["python_function"][_FLAVOUR_DATA])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ""


def _version(client: Any, wanted: ModelUri, store: str) -> ModelUri:
    """The version that is meant. MLflow's own resolver asks the default store, not the one named."""
    try:
        model = client.get_registered_model(wanted.name)
    except MlflowException as error:
        if not is_refusal(error):
            raise
        raise no_such_model(wanted, store, _names_of_models(client)) from error
    newest = {int(one.version) for one in model.latest_versions}
    held = HeldVersions(frozenset(newest), {alias: int(number) for alias, number in model.aliases.items()})
    number = held.number_of(wanted)
    if number is None or not _is_there(client, wanted.name, number):
        raise no_such_version(wanted, store, held)
    return ModelUri(wanted.name, version=str(number))


def _is_there(client: Any, name: str, number: int) -> bool:
    try:
        client.get_model_version(name, str(number))
    except MlflowException as error:
        if not is_refusal(error):
            raise
        return False
    return True


def _names_of_models(client: Any) -> Iterator[str]:
    """Of the first thousand models of a store, to tell a user who has mistyped one."""
    return (str(one.name) for one in client.search_registered_models(max_results=_MODELS_LOOKED_AT))


def _experiment_of(experiment_dir: Path) -> Projection:
    projection = Projection()
    for _, event in read(journal_path(experiment_dir)):
        projection.operations(event)
    return projection


def _describe(store: Store, name: str, version: str, description: ModelDescription) -> None:
    """What the pages of model and version say first; what somebody else wrote of the model stays."""
    if not store.client.get_registered_model(name).description:
        store.client.update_registered_model(name, redact(description.model))
    store.client.update_model_version(name, version, redact(description.version))


def _find_version(store: Store, name: str, key: str) -> str | None:
    """The version made of this bundle; names are compared here, because MLflow's filters cannot quote them all."""
    found = store.client.search_model_versions(tag_is(KEY_TAG, key))
    return min((str(version.version) for version in found if version.name == name), key=int, default=None)


def _create_version(store: Store, run_id: str, package: ModelPackage, tags: Mapping[str, str]) -> str:
    model_id = _ensure_logged_model(store, run_id, package, tags[KEY_TAG])
    try:
        store.client.create_registered_model(package.name)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"):
            raise
    location = store.client.get_logged_model(model_id).artifact_location
    version = store.client.create_model_version(
        package.name, source=location, run_id=run_id, model_id=model_id, tags=dict(tags)
    )
    return str(version.version)


def _ensure_logged_model(store: Store, run_id: str, package: ModelPackage, key: str) -> str:
    """Upload the model unless an earlier call, which died before it made a version, has done so."""
    found = store.client.search_logged_models([store.experiment_id], tag_is(KEY_TAG, key))
    ready = [str(model.model_id) for model in found if str(model.status) == "READY"]
    if ready:
        return ready[0]
    model = store.client.create_logged_model(
        store.experiment_id,
        name=_NOT_IN_LOGGED_NAMES.sub("_", package.name),
        source_run_id=run_id,
        tags={KEY_TAG: key},
        model_type="graft",
    )
    with tempfile.TemporaryDirectory() as scratch:
        _save(Path(scratch, "model"), package, Model(run_id=run_id, model_id=model.model_id))
        store.client.log_model_artifacts(model.model_id, str(Path(scratch, "model")))
    store.client.finalize_logged_model(model.model_id, "READY")
    store.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


# MLflow tells on standard error that it looks at the example, which would stand below the display of a run.
_CHATTER = re.compile("Validating input example")


def _save(path: Path, package: ModelPackage, model: Model) -> None:
    with suppress_logs("mlflow.pyfunc", _CHATTER):
        mlflow.pyfunc.save_model(
            str(path),
            loader_module=package.loader_module,
            data_path=str(package.bundle),
            mlflow_model=model,
            signature=signature_of(package.inputs, package.outputs),
            input_example=package.input_example,
            pip_requirements=list(package.requirements),
        )


def _schema(columns: Mapping[str, str]) -> Schema:
    return Schema([ColSpec(DataType[kind], name) for name, kind in columns.items()])


def _promote(store: Store, name: str, version: str, alias: str) -> None:
    aliases = store.client.get_registered_model(name).aliases
    if int(aliases.get(alias, 0)) < int(version):
        store.client.set_registered_model_alias(name, alias, version)
