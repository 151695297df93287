from pathlib import Path
from typing import Any

import pytest

from graft.core.errors import ArtifactError
from graft.core.storage import Home, directory_digest
from graft.experiments.directory import Experiment
from graft.experiments.registered import registration_of
from graft.journal.events import ExperimentStarted, ModelRegistered
from graft.journal.journal import Journal
from graft.spec.load import parse_job

REMOTE = "http://tracker:5000"


@pytest.fixture
def place(home: Path) -> Home:
    return Home(home)


def registered(home: Home, version: str, digest: str, **job: Any) -> Experiment:
    experiment = Experiment.create(home, parse_job({"name": "digits", "data": "digits", **job}))
    name = experiment.job().model_name
    with Journal(experiment.journal_file) as journal:
        journal.append(ModelRegistered(f"models:/{name}/{version}", version, digest))
    return experiment


def digest_of(*version: Any) -> str | None:
    found = registration_of(*version)
    return found.digest if found else None


def test_the_journal_of_the_experiment_that_registered_it_is_asked(place: Home) -> None:
    registered(place, "1", "one")
    registered(place, "2", "two")
    registered(place, "1", "other", export={"model_name": "another"})
    registered(place, "1", "far", tracking={"uri": REMOTE})
    assert digest_of(place, place.tracking_uri, "digits", "1") == "one"
    assert digest_of(place, place.tracking_uri, "digits", "2") == "two"
    assert digest_of(place, place.tracking_uri, "another", "1") == "other"
    assert digest_of(place, REMOTE, "digits", "1") == "far"


def test_a_version_that_nobody_here_registered_is_refused_in_our_own_store_only(place: Home) -> None:
    registered(place, "1", "one")
    with pytest.raises(ArtifactError, match="models:/digits/9 was registered by no experiment"):
        registration_of(place, place.tracking_uri, "digits", "9")
    assert digest_of(place, REMOTE, "digits", "9") is None


def test_damage_elsewhere_is_no_reason_not_to_load(place: Home) -> None:
    registered(place, "1", "one")
    registered(place, "2", "two").job_file.write_text("{")
    assert digest_of(place, place.tracking_uri, "digits", "1") == "one"


def test_an_old_journal_without_a_digest_trusts_its_own_bundle(place: Home) -> None:
    experiment = registered(place, "1", "")
    with pytest.raises(ArtifactError, match="whose bundle is gone"):
        registration_of(place, place.tracking_uri, "digits", "1")
    experiment.bundle.mkdir()
    (experiment.bundle / "manifest.json").write_text("{}")
    assert digest_of(place, place.tracking_uri, "digits", "1") == directory_digest(experiment.bundle)


def test_the_files_are_those_that_were_registered_or_none(place: Home) -> None:
    experiment = registered(place, "1", "")
    experiment.bundle.mkdir()
    (experiment.bundle / "manifest.json").write_text("{}")
    registered(place, "2", directory_digest(experiment.bundle))
    first, second = (registration_of(place, place.tracking_uri, "digits", version) for version in "12")
    assert first is not None
    assert second is not None
    assert first.bundle(place) == experiment.bundle
    assert second.bundle(place) is None
    copy = place.models / second.digest[:32]
    copy.mkdir(parents=True)
    (copy / "manifest.json").write_text("{}")
    assert second.bundle(place) == copy
    (copy / "manifest.json").write_text("{ }")
    assert second.bundle(place) is None


def meta_trained(home: Home, training: str, version: str, uri: str | None = None) -> Path:
    directory = home.meta_models / "glyphs" / "trainings" / training
    (directory / "glyphs").mkdir(parents=True)
    (directory / "glyphs" / "manifest.json").write_text(f'{{"training": "{training}"}}')
    with Journal(directory / "journal.jsonl") as journal:
        journal.append(ExperimentStarted("glyphs", training, {"tracking": {"uri": uri}}))
        digest = directory_digest(directory / "glyphs")
        journal.append(ModelRegistered(f"models:/glyphs.meta/{version}", version, digest))
    return directory / "glyphs"


def test_so_is_that_of_the_meta_training(place: Home) -> None:
    first, _, far = (
        meta_trained(place, "a", "1"),
        meta_trained(place, "b", "2"),
        meta_trained(place, "c", "1", uri=REMOTE),
    )
    (place.meta_models / "glyphs" / "trainings" / "begun").mkdir()
    found = registration_of(place, place.tracking_uri, "glyphs.meta", "1")
    assert found is not None
    assert found.bundle(place) == first
    assert digest_of(place, REMOTE, "glyphs.meta", "1") == directory_digest(far)
    (first / "manifest.json").write_text("{}")
    assert found.bundle(place) is None
    with pytest.raises(ArtifactError, match=r"models:/glyphs.meta/3 was registered by no experiment"):
        registration_of(place, place.tracking_uri, "glyphs.meta", "3")
