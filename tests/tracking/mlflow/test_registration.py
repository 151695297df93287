import logging
import sys
import urllib.parse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pandas
import pytest

from graft.core.errors import ArtifactError, SpecError, TrackingError
from graft.core.storage import directory_digest, text_digest
from graft.tracking.mlflow.registration import (
    CHAMPION,
    DIGEST_TAG,
    ModelPackage,
    fetch_bundle,
    find_run,
    register,
)
from graft.tracking.mlflow.store import MlflowClient, open_client, open_store
from graft.tracking.projection.operations import EXPERIMENT_RUN
from graft.tracking.relay import sync
from graft.tracking.target import Target, run_key

Tell = Callable[..., None]

LOADER = """
from pathlib import Path

def _load_pyfunc(path):
    return Model(Path(path, "labels.json").read_text())

class Model:
    def __init__(self, label):
        self.label = label

    def predict(self, table, params=None):
        return table.assign(label=self.label)[["label"]]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> ModelPackage:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    bundle.joinpath("manifest.json").write_text("{}")
    bundle.joinpath("labels.json").write_text("seven")
    tmp_path.joinpath("tiny_loader.py").write_text(LOADER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tiny_loader", raising=False)
    return ModelPackage(
        bundle, request.node.name, "tiny_loader", ("graft==0.1.0",), {"path": "string"}, {"label": "string"},
        {"path": ["a.png"]},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever MLflow writes to the working directory shows up here."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


def downloaded(target: Target, name: str, place: Path) -> Path:
    """The whole model, as MLflow keeps it."""
    location = open_client(target).get_model_version_download_uri(name, "1")
    return Path(mlflow.artifacts.download_artifacts(location, dst_path=str(place), tracking_uri=target.uri))


def test_the_registered_model_predicts(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, elsewhere: Path
) -> None:
    told()
    model = register(experiment_dir, target, package)
    assert model.uri == f"models:/{package.name}/1"
    loaded = mlflow.pyfunc.load_model(str(downloaded(target, package.name, elsewhere / "model")))
    assert loaded.predict(pandas.DataFrame({"path": ["a.png", "b.png"]}))["label"].tolist() == ["seven", "seven"]
    assert sorted(path.name for path in elsewhere.iterdir()) == ["model"]


def test_registering_says_nothing_of_its_own(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, caplog: pytest.LogCaptureFixture
) -> None:
    """In a notebook it would stand below the display of a run, in the colours of a warning."""
    told()
    logger = logging.getLogger("mlflow.pyfunc")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    register(experiment_dir, target, package)
    logger.removeHandler(caplog.handler)
    assert [one.getMessage() for one in caplog.records if one.name == "mlflow.pyfunc"] == []


def test_the_bundle_is_the_only_payload(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, elsewhere: Path
) -> None:
    told()
    bundle = fetch_bundle(target.uri, register(experiment_dir, target, package).uri, elsewhere / "bundles")
    assert {path.name for path in bundle.iterdir()} == {"manifest.json", "labels.json"}
    model = downloaded(target, package.name, elsewhere / "model")
    names = {path.name for path in model.rglob("*") if path.is_file()}
    assert not {name for name in names if name.endswith((".pkl", ".py", ".pth"))}
    requirements = model.joinpath("requirements.txt").read_text().split()
    assert [line for line in requirements if not line.startswith("mlflow==")] == ["graft==0.1.0"]


def test_model_and_version_say_what_they_are_and_what_others_wrote_stays(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage
) -> None:
    told()
    register(experiment_dir, target, package)
    client = MlflowClient(target.uri)
    assert "Job digits of graft." in client.get_registered_model(package.name).description
    assert "Found by the graft experiment digits-1." in client.get_model_version(package.name, "1").description
    client.update_registered_model(package.name, "ours")
    package.bundle.joinpath("labels.json").write_text("eight")
    register(experiment_dir, target, package)
    assert client.get_registered_model(package.name).description == "ours"


def test_registering_twice_is_one_version(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage
) -> None:
    told()
    assert register(experiment_dir, target, package) == register(experiment_dir, target, package)
    assert len(MlflowClient(target.uri).search_model_versions(f"name = '{package.name}'")) == 1


def test_a_call_that_died_half_way_is_completed(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told()
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            register(experiment_dir, target, package)
    assert register(experiment_dir, target, package).version == "1"
    store = open_store(target)
    assert len(store.client.search_logged_models([store.experiment_id])) == 1
    assert int(store.client.get_model_version_by_alias(package.name, CHAMPION).version) == 1


def test_a_new_bundle_is_a_new_champion_and_the_old_one_stays_behind(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage
) -> None:
    told()
    register(experiment_dir, target, package)
    package.bundle.joinpath("labels.json").write_text("eight")
    assert register(experiment_dir, target, package).version == "2"
    package.bundle.joinpath("labels.json").write_text("seven")
    assert register(experiment_dir, target, package).version == "1"
    assert int(MlflowClient(target.uri).get_model_version_by_alias(package.name, CHAMPION).version) == 2


def test_registering_before_or_after_the_relay_uses_one_parent_run(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, shown: Callable[[], dict[str, Any]]
) -> None:
    told()
    register(experiment_dir, target, package)
    sync(experiment_dir, target)
    assert len(shown()) == 5
    store = open_store(target)
    (run,) = store.find_runs(run_key(str(experiment_dir), EXPERIMENT_RUN))
    assert store.client.get_run(run).outputs.model_outputs
    assert MlflowClient(target.uri).get_model_version(package.name, "1").run_id == run


def test_a_missing_bundle_is_a_clear_error(experiment_dir: Path, target: Target, package: ModelPackage) -> None:
    for file in package.bundle.iterdir():
        file.unlink()
    package.bundle.rmdir()
    with pytest.raises(ArtifactError, match="is not a directory"):
        register(experiment_dir, target, package)


def test_a_store_that_is_down_is_a_clear_error(experiment_dir: Path, told: Tell, package: ModelPackage) -> None:
    told()
    away = Target("http://127.0.0.1:9", "x")
    with pytest.raises(TrackingError, match="start it, or correct tracking"):
        register(experiment_dir, away, package)
    with pytest.raises(TrackingError, match="start it, or correct tracking"):
        find_run(away, "x")


@pytest.mark.parametrize(
    ("address", "lacks"),
    [
        ("models:/{name}/7", "no version 7 of `{name}`; the newest is models:/{name}/1"),
        ("models:/{name}@best", "no alias `best` of `{name}`; its aliases are @champion (version 1)"),
        ("models:/{name}s", "no model `{name}s`; did you mean `{name}`?"),
    ],
)
def test_a_model_that_does_not_exist_is_told_with_those_that_do(
    address: str, lacks: str, experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    named = replace(package, name="lacking-" + text_digest(address)[:6])
    register(experiment_dir, target, named)
    with pytest.raises(SpecError) as caught:
        fetch_bundle(target.uri, address.format(name=named.name), tmp_path / "model")
    assert lacks.format(name=named.name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_model_without_a_version_is_a_clear_error(target: Target, tmp_path: Path) -> None:
    open_client(target).create_registered_model("versionless")
    with pytest.raises(SpecError, match="has no version of `versionless` any more"):
        fetch_bundle(target.uri, "models:/versionless", tmp_path / "model")


@pytest.mark.parametrize("uri", ["runs:/abc/model", "digits", "models:/digits/x"])
def test_a_uri_that_names_no_version_is_a_clear_error(target: Target, tmp_path: Path, uri: str) -> None:
    with pytest.raises(SpecError, match="must be models:/<name>@champion"):
        fetch_bundle(target.uri, uri, tmp_path / "model")


def test_a_model_of_another_program_is_refused(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    package.bundle.joinpath("manifest.json").unlink()
    model = register(experiment_dir, target, package)
    with pytest.raises(ArtifactError, match="holds no graft bundle"):
        fetch_bundle(target.uri, model.uri, tmp_path / "model")


def stored_bundle(target: Target, model: str) -> Path:
    """Where the store keeps it: whoever may write there can change it."""
    source = urllib.parse.urlsplit(open_client(target).get_model_version(model, "1").source)
    (manifest,) = Path(urllib.parse.unquote(source.path)).rglob("manifest.json")
    return manifest.parent


def test_changed_files_are_refused_whatever_the_manifest_says(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    model = register(experiment_dir, target, package)
    good = fetch_bundle(target.uri, model.uri, tmp_path / "models")
    for name in ("labels.json", "manifest.json"):
        (stored_bundle(target, package.name) / name).write_text('{"evil": true}')
    assert fetch_bundle(target.uri, model.uri, tmp_path / "models") == good, "a copy from before is still right"
    with pytest.raises(ArtifactError, match="is not what was registered"):
        fetch_bundle(target.uri, model.uri, tmp_path / "others")
    assert list((tmp_path / "others").iterdir()) == []


def test_a_copy_that_was_changed_is_fetched_again(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    model = register(experiment_dir, target, package)
    copy = fetch_bundle(target.uri, model.uri, tmp_path / "models")
    before = (copy / "labels.json").read_bytes()
    (copy / "labels.json").write_text("[]")
    assert fetch_bundle(target.uri, model.uri, tmp_path / "models") == copy
    assert (copy / "labels.json").read_bytes() == before


def test_the_record_counts_more_than_what_the_store_says(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    model = register(experiment_dir, target, package)
    recorded = directory_digest(package.bundle)
    (stored_bundle(target, package.name) / "labels.json").write_text("evil")
    forged = directory_digest(stored_bundle(target, package.name))
    open_client(target).set_model_version_tag(package.name, "1", DIGEST_TAG, forged)
    with pytest.raises(ArtifactError, match="is not what was registered"):
        fetch_bundle(target.uri, model.uri, tmp_path / "a", lambda name, version: recorded)
    fetch_bundle(target.uri, model.uri, tmp_path / "b")  # nobody has told it better


def test_a_version_that_states_no_digest_is_refused(
    experiment_dir: Path, target: Target, told: Tell, package: ModelPackage, tmp_path: Path
) -> None:
    told()
    model = register(experiment_dir, target, package)
    open_client(target).delete_model_version_tag(package.name, "1", DIGEST_TAG)
    with pytest.raises(ArtifactError, match="states no digest"):
        fetch_bundle(target.uri, model.uri, tmp_path / "a")
    fetch_bundle(target.uri, model.uri, tmp_path / "a", lambda name, version: directory_digest(package.bundle))
