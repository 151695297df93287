"""Homes, experiments and models with names that are code in some language: all lie where they belong, and are found."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from graft.core.errors import ArtifactError
from graft.core.storage import Home, directory_digest
from graft.experiments.find_bundle import find_bundle, pinned_model
from graft.journal.events import ModelRegistered
from graft.journal.journal import Journal, journal_path
from graft.spec.load import parse_job
from graft.tracking.mlflow.filters import tag_is
from graft.tracking.mlflow.registration import CHAMPION, ModelPackage, RegisteredModel, fetch_bundle, register
from graft.tracking.mlflow.store import open_store
from graft.tracking.model_uri import ModelUri
from graft.tracking.relay import sync
from graft.tracking.target import Target, directory_name, target_of

Tell = Callable[..., None]

AWKWARD_HOME = "a%2Fb?c#d e'f\"g;h&é日=[x]"
MODELS = ["o'neil", 'say "x"', "me@home", "a%2Fb", "a.b", "größe 😀", "a`b", "--uri=x", "a'b\"c", "latest", "12", "#1"]
EXPERIMENTS = [
    "/Users/me/x",
    "a:b",
    "a?b",
    "o'neil",
    "CON",
    "x" * 250,
    "数" * 250,
    "ünï",
    "-x",
    "--uri",
    "a%2Fb",
    "x.",
    "LPT1.x",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("homes") / AWKWARD_HOME)


@pytest.fixture
def experiment_dir(home: Home, request: pytest.FixtureRequest) -> Path:
    directory = home.experiments / f"digits-{directory_name(request.node.name)}"
    directory.mkdir(parents=True)
    directory.joinpath("job.yaml").write_text("name: digits\n")
    directory.joinpath("leaderboard.csv").write_text("trial,accuracy\nt00,0.97\n")
    return directory


@pytest.fixture
def bundle(experiment_dir: Path) -> Path:
    directory = experiment_dir / "bundle"
    directory.mkdir()
    directory.joinpath("manifest.json").write_text("{}")
    return directory


def package_of(bundle: Path, name: str) -> ModelPackage:
    return ModelPackage(bundle, name, "json", ("graft==0.1.0",), {"path": "string"}, {"label": "string"})


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever MLflow writes to the working directory shows up here."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_of_an_awkward_home_lies_in_it(home: Home, experiment_dir: Path, told: Tell, elsewhere: Path) -> None:
    told()
    sync(experiment_dir, target_of(home, parse_job({"name": "x", "data": "digits"})))
    assert home.database.is_file()
    assert list(home.artifact_root.rglob("leaderboard.csv"))
    assert [path.name for path in home.root.parent.iterdir()] == [AWKWARD_HOME]
    assert not [path for path in elsewhere.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_artifacts_of_any_experiment_lie_below_the_root(home: Home, name: str) -> None:
    target = target_of(home, parse_job({"name": "x", "data": "digits", "tracking": {"experiment": name}}))
    store = open_store(target)
    run = store.ensure_run("some-key", "run", 1.0, {})
    store.client.log_text(run, "text", "note.txt")
    (note,) = (home.artifact_root / directory_name(name)).rglob("note.txt")
    assert note.read_text() == "text"
    assert store.find_runs("some-key") == [run]


@pytest.mark.parametrize("name", MODELS)
def test_any_model_is_registered_once_and_found(
    home: Home,
    experiment_dir: Path,
    told: Tell,
    bundle: Path,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told()
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    job = parse_job({"name": "x", "data": "digits", "export": {"model_name": name}})
    experiment_dir.joinpath("job.yaml").write_text(yaml.safe_dump(job.model_dump(mode="json")))
    target = target_of(home, job)
    first = register(experiment_dir, target, package_of(bundle, name))
    assert first == register(experiment_dir, target, package_of(bundle, name)) == RegisteredModel(name, "1")
    with Journal(journal_path(experiment_dir)) as journal:
        journal.append(ModelRegistered(first.uri, "1", directory_digest(bundle)))
    for address in (first.uri, str(ModelUri.champion(name)), f"models:/{name}@{CHAMPION}"):
        found = find_bundle(address, home)
        assert found.is_relative_to(home.root)
        assert found.joinpath("manifest.json").is_file()
        assert pinned_model(address, home) == first.uri


def test_two_names_of_one_bundle_are_two_models(target: Target, experiment_dir: Path, told: Tell, bundle: Path) -> None:
    told()
    assert register(experiment_dir, target, package_of(bundle, "twin'a")).name == "twin'a"
    assert register(experiment_dir, target, package_of(bundle, "twin'b")) == RegisteredModel("twin'b", "1")


def test_a_model_that_points_out_of_itself_is_refused(
    target: Target, experiment_dir: Path, told: Tell, bundle: Path, tmp_path: Path
) -> None:
    told()
    address = register(experiment_dir, target, package_of(bundle, "hostile")).uri
    assert target.artifact_root is not None
    for written in target.artifact_root.rglob("MLmodel"):
        written.write_text(written.read_text().replace("data: data/bundle", "data: ../../../../bundle"))
    with pytest.raises(ArtifactError, match="leads out of"):
        fetch_bundle(target.uri, address, tmp_path / "a" / "b" / "c" / "d")


def test_what_the_filter_language_cannot_say_is_not_said() -> None:
    assert tag_is("graft.key", "a'b") == 'tags.`graft.key` = "a\'b"'
    for tag, value in (("graft.key", "a'b\"c"), ("a`b", "c")):
        with pytest.raises(ValueError, match="cannot be asked for"):
            tag_is(tag, value)
